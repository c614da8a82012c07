// Package service makes the agent a service of the system, and lets the system's
// service manager know how it does.
//
// It promises: [Install] and [Uninstall] may be repeated and then do only what is
// missing; a dry run changes nothing; Uninstall never touches the data folder. On
// Linux the unit is this package's own text, hardened, and only systemd is
// supported; the udev rules give the cameras in the bays to the agent's user
// alone. A ping to the watchdog is sent only after all loops of the agent were
// seen to go round.
//
// It does not promise a hardened service elsewhere: on Windows and macOS it
// registers the program as it is.
//
// github.com/kardianos/service does the managing and comes in here alone, as does
// github.com/coreos/go-systemd. The command line is the only caller.
package service
