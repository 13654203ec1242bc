"""The battery on the D-Bus of Venus OS. The only folder that imports dbus and gi."""
