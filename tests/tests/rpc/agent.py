"""A polkit agent in whose dialog a person says no: agent.py PID START-TIME."""

import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

POLKIT = "org.freedesktop.PolicyKit1"


class Cancelled(dbus.DBusException):
    _dbus_error_name = POLKIT + ".Error.Cancelled"


class Agent(dbus.service.Object):
    @dbus.service.method(POLKIT + ".AuthenticationAgent", in_signature="sssa{ss}sa(sa{sv})")
    def BeginAuthentication(self, action, message, icon, details, cookie, identities):
        raise Cancelled("dismissed")

    @dbus.service.method(POLKIT + ".AuthenticationAgent", in_signature="s")
    def CancelAuthentication(self, cookie):
        pass


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
agent = Agent(bus, "/agent")
process = {"pid": dbus.UInt32(int(sys.argv[1])), "start-time": dbus.UInt64(int(sys.argv[2]))}
authority = bus.get_object(POLKIT, "/org/freedesktop/PolicyKit1/Authority")
register = authority.get_dbus_method("RegisterAuthenticationAgent", POLKIT + ".Authority")
register(("unix-process", process), "C", "/agent")
open("/tmp/agent", "w").close()
GLib.MainLoop().run()
