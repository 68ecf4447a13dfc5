"""Settings come from the environment and one file, and every mistake is named with its place."""

from pathlib import Path

import pytest

from stowage.config import Settings, SettingsInvalid, load, markdown_table, to_environment, without_password

REPOSITORY = Path(__file__).parents[2]


def test_without_anything_said_stowage_brings_its_own_parts(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings == Settings()
    assert (settings.database_url, settings.mqtt_url, settings.erp_url) == (None, None, None)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "stowage.toml").write_text('http_port = 9000\nlog_level = "debug"\n')
    settings = load({"STOWAGE_HTTP_PORT": "9001"}, tmp_path)
    assert (settings.http_port, settings.log_level) == (9001, "debug")


def test_a_path_in_the_file_is_meant_from_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('data_dir = "here"\n')
    assert load({"STOWAGE_CONFIG": str(tmp_path / "mine.toml")}).data_dir == tmp_path / "here"


def test_all_problems_are_listed_at_once_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "stowage.toml"
    file.write_text('# mine\nhttp_prot = 9000\n\ndatabase_url = "mysql://x"\n[people]\nname = 1\n')
    with pytest.raises(SettingsInvalid) as problems:
        load({"STOWAGE_DEMO_SPEED": "fast", "STOWAGE_MQTT_ULR": "x"}, tmp_path)
    text = str(problems.value)
    assert f"{file}:2: http_prot: there is no such setting; did you mean http_port?" in text
    assert f"{file}:4: database_url: must look like postgresql://" in text
    assert f"{file}:5: people: there is no such setting" in text
    assert "environment: STOWAGE_DEMO_SPEED: must be a number" in text
    assert "environment: STOWAGE_MQTT_ULR: there is no such setting; did you mean mqtt_url?" in text


@pytest.mark.parametrize("text", ["http_port = ", "\x00", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "stowage.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=r"stowage\.toml"):
        load({}, tmp_path)


def test_a_named_file_that_is_not_there_is_a_problem() -> None:
    with pytest.raises(SettingsInvalid, match=r"there is no file /nowhere/x\.toml"):
        load({"STOWAGE_CONFIG": "/nowhere/x.toml"})


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "True", "8800.0", ""])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(SettingsInvalid, match="STOWAGE_HTTP_PORT: must be a port"):
        load({"STOWAGE_HTTP_PORT": port}, tmp_path)


def test_settings_of_the_test_runner_are_not_ours_to_judge(tmp_path: Path) -> None:
    assert load({"STOWAGE_TEST_REQUIRE_ALL": "1"}, tmp_path) == Settings()


def test_settings_survive_the_way_to_a_child_program(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://a:b@h/d", http_port=81, demo_speed=2.5)
    assert load(to_environment(settings), tmp_path) == settings


def test_a_password_is_never_shown() -> None:
    assert without_password("postgresql://me:se:cr@t@host/db").startswith("postgresql://me:***@")
    assert without_password("postgresql://me@host/db") == "postgresql://me@host/db"


def test_the_readme_shows_the_table_of_all_settings() -> None:
    readme = REPOSITORY / "README.md"
    if not readme.exists():
        pytest.skip("the README is not written yet")
    assert markdown_table() in readme.read_text()
