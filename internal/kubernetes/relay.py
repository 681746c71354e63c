# Joins a TCP connection to argv[1]:argv[2] with standard input and output. The first
# line says how the connecting went: "ok", "refused: <why>", "lost: <why>" or "failed: <why>".
import os, signal, socket, sys, threading

signal.alarm(900)  # whatever happens to the run that started this
try:
    conn = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
except OSError as e:
    word = "refused" if isinstance(e, ConnectionRefusedError) else "lost" if isinstance(e, TimeoutError) else "failed"
    sys.exit(print(word + ": " + str(e).replace("\n", " "), flush=True))
conn.settimeout(None)
print("ok", flush=True)


def send():
    while data := os.read(0, 65536):
        conn.sendall(data)
    conn.shutdown(socket.SHUT_WR)


threading.Thread(target=send, daemon=True).start()
while data := conn.recv(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
