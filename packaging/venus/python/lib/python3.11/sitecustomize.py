"""What Debian's libraries look for in /usr lies beside this Python, or is the GX's own."""

import contextlib
import os
import sys

os.environ["GI_TYPELIB_PATH"] = f"{sys.prefix}/lib/girepository-1.0"
os.environ.setdefault("SSL_CERT_DIR", "/etc/ssl/certs")
SOCKETS = ("/var/run/dbus/system_bus_socket", "/run/dbus/system_bus_socket")
os.environ.setdefault("DBUS_SYSTEM_BUS_ADDRESS", ";".join(f"unix:path={socket}" for socket in SOCKETS))

with contextlib.suppress(OSError), open("/proc/self/comm", "w") as name:  # noqa: PTH123
    name.write("packbank")  # else "ld.so" is what ps, top and doctor show
