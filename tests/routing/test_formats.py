"""The benchmark formats are read as their authors mean them; a file that is not what it says ends in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import routing
from routing.formats import BadFile, Instance, read
from routing.problem import NO_ROAD, Window

SOLOMON = """T3

VEHICLE
NUMBER     CAPACITY
  25         200

CUSTOMER
CUST NO.   XCOORD.   YCOORD.    DEMAND   READY TIME   DUE DATE   SERVICE TIME

    0      0         0          0          0       230          0
    1      3         4         10        161       171         10
    2      1         1          7         50        60         10
"""

LILIM = """25\t200\t1
0\t40\t50\t0\t0\t1236\t0\t0\t0
1\t45\t68\t10\t0\t967\t90\t0\t2
2\t45\t70\t-10\t0\t870\t90\t1\t0
"""

CVRP = """NAME : tiny
COMMENT : (three customers: one truck)
TYPE : CVRP
DIMENSION : 4
EDGE_WEIGHT_TYPE : EUC_2D
CAPACITY : 10
NODE_COORD_SECTION
 1 0 0
 2 3 4
 3 0 1.6
 4 1 1
DEMAND_SECTION
1 0
2 4
3 3
4 3
DEPOT_SECTION
 1
 -1
EOF
"""

JSON = {
    "matrices": [{"distance_m": [[0, 900], [950, 0]], "duration_s": [[0, 120], [130, 0]]}],
    "vehicles": [{"id": "VAN-1", "start": 0, "end": 0, "capacity": [800], "shift": {"opens_s": 0, "closes_s": 3600}}],
    "jobs": [{"id": "J-1", "location": 1, "delivery": [25], "windows": [{"opens_s": 600, "closes_s": 900}]}],
}  # fmt: skip


def taken(tmp_path: Path, text: str, *args: str) -> Instance:
    file = tmp_path / "instance.txt"
    file.write_bytes(text.encode())
    return read(file, *args)  # type: ignore[arg-type]


def refused(tmp_path: Path, text: str, *args: str) -> str:
    with pytest.raises(BadFile) as found:
        taken(tmp_path, text, *args)
    assert "\n" not in str(found.value)
    return str(found.value)


# --- Solomon -------------------------------------------------------------------------------------------------


def test_solomon_distances_are_truncated_to_one_decimal_and_costs_told_in_the_files_units(
    tmp_path: Path,
) -> None:
    instance = taken(tmp_path, SOLOMON)
    assert instance.problem.matrices[0].distance_m[0].tolist() == [0, 50, 14]
    assert instance.problem.jobs[1].windows == (Window(500, 600),)
    assert instance.problem.vehicles[0].shift == Window(0, 2300)
    plan = routing.solve(instance.problem, limit_s=0.2)
    assert instance.cost(plan) == (14 + 36 + 50) / 10


def test_solomon_exact_rounds_to_three_decimals(tmp_path: Path) -> None:
    instance = taken(tmp_path, SOLOMON, "auto", "distance", "exact")
    assert instance.problem.matrices[0].distance_m[0].tolist() == [0, 5000, 1414]
    assert instance.scale == 1000


@pytest.mark.parametrize(
    "odd",
    [
        SOLOMON.replace("\n", "\r\n"),
        SOLOMON.replace("\n", "\n\n\n"),
        SOLOMON.replace("    ", "\t"),
        "\ufeff" + SOLOMON,
        SOLOMON.rstrip(),
        SOLOMON.replace("CUST NO.   XCOORD.", "CUST  NO.  XCOORD. "),
        SOLOMON.replace("10        161", "10.0 161.00"),
        SOLOMON.replace("T3\n", ""),
        SOLOMON.replace("\n", "\r"),
        SOLOMON + "EOF\n",
        "# by hand\n" + SOLOMON + "# end\n\x1a",
    ],
)
def test_odd_white_space_in_a_solomon_file_changes_nothing(tmp_path: Path, odd: str) -> None:
    assert taken(tmp_path, odd).problem.jobs == taken(tmp_path, SOLOMON).problem.jobs


def test_a_file_of_two_byte_characters_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t3.txt"
    file.write_bytes(SOLOMON.encode("utf-16"))
    assert read(file).problem.jobs == taken(tmp_path, SOLOMON).problem.jobs


def test_fewest_vehicles_are_asked_for_by_a_surcharge_that_no_cost_tells(tmp_path: Path) -> None:
    instance = taken(tmp_path, SOLOMON, "solomon", "vehicles")
    plan = routing.solve(instance.problem, limit_s=0.2)
    assert len(plan.routes) == 1
    assert instance.cost(plan) == 10.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("         7  ", "        -7  "), ["line 12", "demand of customer 2", "negative"]),
        (("50        60", "60        50"), ["line 12", "closes (50) before it opens (60)"]),
        (("50        60         10\n", "50"), ["line 12", "seven numbers", "cut off"]),
        (("    2      1", "    1      1"), ["customer 1", "twice"]),
        (("    1      3", "    one    3"), ["line 11", "seven numbers"]),
        (("    0      0         0 ", "    0      nan       0 "), ["line 10", "seven numbers"]),
        (("    0      0         0          0          0       230          0\n", ""), ["line 10", "depot", "demand"]),
        (("    1      3", "    1      1e30"), ["line 11", "1e+30"]),
        (("        60 ", "      1e30 "), ["line 12", "1e+30"]),
        (("    1      3", "    1      1e11"), ["way", "too long"]),
        (("  25         200", ""), ["two numbers"]),
        (("  25         200", "  -1         200"), ["negative"]),
        (("    1      3         4         10        161       171         10\n    2      1         1          7         50        60         10\n", ""), ["no customers"]),
    ],
)  # fmt: skip
def test_a_wrong_solomon_file_says_the_line(
    tmp_path: Path, change: tuple[str, str], words: list[str]
) -> None:
    assert change[0] in SOLOMON
    said = refused(tmp_path, SOLOMON.replace(*change))
    assert [w for w in words if w not in said] == [], said


# --- Li and Lim ----------------------------------------------------------------------------------------------


def test_lilim_rows_become_shipments(tmp_path: Path) -> None:
    (shipment,) = taken(tmp_path, LILIM).problem.shipments
    assert (shipment.pickup.id, shipment.delivery.id, shipment.load) == ("1", "2", (10,))
    assert shipment.delivery.service_s == 90_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("25\t200\t1", "25\t200"), ["three numbers"]),
        (("2\t45\t70\t-10\t0\t870\t90\t1\t0\n", ""), ["cut off"]),
        (("\t90\t0\t2", "\t90\t0\t3"), ["number 3", "not there"]),
        (("\t90\t0\t2", "\t90\t0\t0"), ["either its pickup or its delivery"]),
        (("-10", "-9"), ["pickup of 10", "-9"]),
        (("\t870\t90\t1\t0", ""), ["nine numbers", "cut off"]),
    ],
)
def test_a_wrong_lilim_file_says_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], words: list[str]
) -> None:
    assert change[0] in LILIM
    said = refused(tmp_path, LILIM.replace(*change), "lilim")
    assert [w for w in words if w not in said] == [], said


def test_a_lilim_file_may_have_comments_and_an_end_but_never_lacks_its_depot(tmp_path: Path) -> None:
    assert (
        taken(tmp_path, "# by hand\n" + LILIM + "EOF\n").problem.shipments
        == taken(tmp_path, LILIM).problem.shipments
    )
    two = (
        LILIM.replace("0\t40\t50\t0\t0\t1236\t0\t0\t0\n", "")
        + "3\t5\t8\t1\t0\t967\t90\t0\t4\n4\t4\t7\t-1\t0\t870\t90\t3\t0\n"
    )
    assert "depot" in refused(tmp_path, two)


# --- VRPLIB --------------------------------------------------------------------------------------------------


def test_a_cvrp_without_windows_has_whole_distances_and_as_many_vehicles_as_customers(tmp_path: Path) -> None:
    problem = taken(tmp_path, CVRP).problem
    assert problem.matrices[0].distance_m[0].tolist() == [0, 5, 2, 1]
    assert [j.id for j in problem.jobs] == ["2", "3", "4"]
    assert len(problem.vehicles) == 3


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        ("FULL_MATRIX", "0 1 2 3 1 0 4 5 2 4 0 6 3 5 6 0"),
        ("UPPER_ROW", "1 2 3\n4 5\n6"),
        ("LOWER_ROW", "1\n2 4\n3 5 6"),
        ("UPPER_DIAG_ROW", "0 1 2 3 0 4 5 0 6 0"),
        ("LOWER_DIAG_ROW", "0\n1 0\n2 4 0\n3 5 6 0"),
        ("LOWER_COL", "1 2 3 4 5 6"),
    ],
)
def test_explicit_weights_are_read_in_every_form(tmp_path: Path, form: str, numbers: str) -> None:
    head, tail = CVRP.split("NODE_COORD_SECTION")
    text = head.replace("EUC_2D", f"EXPLICIT\nEDGE_WEIGHT_FORMAT : {form}") + f"EDGE_WEIGHT_SECTION\n{numbers}\nDEMAND" + tail.split("DEMAND", 1)[1]  # fmt: skip
    away = taken(tmp_path, text).problem.matrices[0].distance_m
    assert away.tolist() == [[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]]


def test_goods_are_taken_along_only_after_all_are_brought_where_the_file_says_vrpb(tmp_path: Path) -> None:
    text = CVRP.replace("CVRP", "VRPB").replace("DEMAND_SECTION\n1 0\n2 4\n3 3\n4 3", "LINEHAUL_SECTION\n1 0\n2 4\n3 3\n4 0\nBACKHAUL_SECTION\n1 0\n2 0\n3 0\n4 3")  # fmt: skip
    problem = taken(tmp_path, text).problem
    assert problem.matrices[0].distance_m[0, 3] == problem.matrices[0].distance_m[3, 1] == NO_ROAD
    plan = routing.solve(problem, limit_s=0.2)
    assert routing.check(problem, plan) == []
    assert plan.routes[0].visits[-1].id == "4"


def test_what_pyvrp_adds_to_vrplib_is_understood(tmp_path: Path) -> None:
    text = CVRP.replace("CVRP", "VRPTW").replace("CAPACITY : 10", "VEHICLES : 2\nSERVICE_TIME : 3\nVEHICLES_MAX_DURATION : 50").replace(
        "DEPOT_SECTION",
        "TIME_WINDOW_SECTION\n1 0 100\n2 5 50\n3 0 60\n4 0 60\nRELEASE_TIME_SECTION\n1 0\n2 4\n3 0\n4 0\nPRIZE_SECTION\n1 0\n2 0\n3 9\n4 0\n"
        "CAPACITY_SECTION\n1 10\n2 5\nVEHICLES_FIXED_COST_SECTION\n1 7\n2 0\nVEHICLES_RELOAD_DEPOT_SECTION\n1 1\n2 1\n"
        "VEHICLES_MAX_RELOADS_SECTION\n1 1\n2 0\nVEHICLES_ALLOWED_CLIENTS_SECTION\n1 2 3 4\n2 3 4\nDEPOT_SECTION",
    )  # fmt: skip
    problem = taken(tmp_path, text).problem
    first, second = problem.vehicles
    assert (first.capacity, first.fixed_cost, first.max_trips, first.max_duration_s) == ((10,), 70, 2, 500)
    assert (second.capacity, second.max_trips, second.shift) == ((5,), 1, Window(0, 1000))
    two, three, _ = problem.jobs
    assert (two.windows, two.release_s, two.service_s, two.vehicles) == (
        (Window(50, 500),),
        40,
        30,
        frozenset({"1"}),
    )
    assert three.prize == 90


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("DIMENSION : 4\n", ""), ["DIMENSION is missing"]),
        (("DEPOT_SECTION\n 1\n -1\nEOF\n", ""), ["DEPOT_SECTION", "EOF", "cut off"]),
        (("DEPOT_SECTION\n 1", "DEPOT_SECTION\n -5"), ["depot -5"]),
        (("DIMENSION : 4\n", "DIMENSION : 4.5\n"), ["DIMENSION", "whole number"]),
        (("DIMENSION : 4\n", "DIMENSION : 900000000\n"), ["DIMENSION", "10000"]),
        (("DIMENSION : 4\n", "DIMENSION : 1e30\n"), ["1e+30"]),
        ((" 4 1 1\n", " 4 1 1e30\n"), ["line 11", "1e+30"]),
        ((" 4 1 1\n", " 4 1 1e11\n"), ["way", "too long"]),
        (("CAPACITY : 10\n", "CAPACITY : -3\n"), ["capacity is negative"]),
        (("3 3\n4 3\nDEPOT", "3 3\nDEPOT"), ["DEMAND_SECTION has 3 rows", "cut off"]),
        (("3 3\n4 3\nDEPOT", "3 -3\n4 3\nDEPOT"), ["node 3 has -3"]),
        (("CAPACITY : 10\n", ""), ["CAPACITY is missing"]),
        (("CAPACITY : 10\n", "CAPACITY : ten\n"), ["CAPACITY must be a number"]),
        (("EUC_2D", "XRAY1"), ["XRAY1"]),
        (("EUC_2D", "EXPLICIT"), ["EDGE_WEIGHT_SECTION has 0 numbers"]),
        ((" 4 1 1\n", " 4 1\n"), ["node with x and y"]),
        ((" 1\n -1\nEOF\n", " 1"), ["DEPOT_SECTION has no end"]),
        (("DEPOT_SECTION\n 1", "DEPOT_SECTION\n 9"), ["depot 9"]),
        (("DEMAND_SECTION", "MYSTERY_SECTION"), ["MYSTERY_SECTION is not understood"]),
    ],
)
def test_a_wrong_vrplib_file_says_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], words: list[str]
) -> None:
    assert change[0] in CVRP
    said = refused(tmp_path, CVRP.replace(*change))
    assert [w for w in words if w not in said] == [], said


def test_vehicles_without_number_are_no_more_than_there_are_customers(tmp_path: Path) -> None:
    problem = taken(tmp_path, CVRP.replace("CAPACITY", "VEHICLES : 1000000000\nCAPACITY")).problem
    assert len(problem.vehicles) == 3


def test_the_pseudo_euclidean_way_of_tsplib_is_rounded_up(tmp_path: Path) -> None:
    problem = taken(tmp_path, CVRP.replace("EUC_2D", "ATT")).problem
    assert problem.matrices[0].distance_m[0, 1] == 2  # of sqrt(25 / 10)


# --- JSON ----------------------------------------------------------------------------------------------------


def test_our_json_is_the_problem_field_by_field(tmp_path: Path) -> None:
    problem = taken(tmp_path, json.dumps(JSON)).problem
    assert problem.jobs[0].windows == (Window(600, 900),)
    assert problem.matrices[0].distance_m[1, 0] == 950
    assert routing.solve(problem, limit_s=0.1).cost == 1850


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("jobs", 0, "weight"), 3, ["jobs[0]", "unknown key 'weight'"]),
        (("jobs", 0, "windows"), [{"opens": 3}], ["jobs[0].windows[0]", "unknown key 'opens'"]),
        (("jobs", 0, "location"), "home", ["jobs[0]", "location"]),
        (("matrices", 0, "distance_m"), [[0, 1]], ["matrices[0].distance_m", "1 by 2"]),
        (("matrices", 0, "distance_m"), [[0, 1], [2]], ["matrices[0].distance_m"]),
        (("trucks",), [], ["unknown key 'trucks'"]),
        (("vehicles",), 3, ["`vehicles` must be a list"]),
    ],
)
def test_a_wrong_json_file_says_the_path(
    tmp_path: Path, path: tuple[str | int, ...], value: object, words: list[str]
) -> None:
    raw = json.loads(json.dumps(JSON))
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    said = refused(tmp_path, json.dumps(raw))
    assert [w for w in words if w not in said] == [], said


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"matrices": [{"distance_m": [[1e30]], "duration_s": [[0]]}]}']
)
def test_json_too_deep_or_too_large_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text)


def test_json_that_is_cut_off_says_so(tmp_path: Path) -> None:
    assert "cut off" in refused(tmp_path, json.dumps(JSON)[:-20])


# --- any -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " \n", "hello world\n", "a,b,c\n1,2,3\n", "<xml/>", "\0\0\0"])
def test_what_is_no_instance_at_all_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="No such file"):
        read(tmp_path / "none.txt")


def test_every_vector_is_recognised_and_read(vectors: Path) -> None:
    files = [f for f in sorted((vectors / "vrp").glob("*/*")) if f.suffix in (".txt", ".vrp")]
    assert len(files) > 10
    for file in files:
        problem = read(file).problem
        assert len(problem.jobs) + len(problem.shipments) > 40, file
