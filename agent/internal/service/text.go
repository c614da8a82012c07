package service

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Names that the system knows the agent by.
const (
	Name        = "sealdock-agent" // of service, unit and user
	UnitFile    = "/etc/systemd/system/sealdock-agent.service"
	RuleFile    = "/etc/udev/rules.d/70-sealdock.rules"
	LimitFile   = "/etc/sysctl.d/70-sealdock.conf"
	DataDefault = "/var/lib/sealdock-agent"
	Program     = "/usr/local/bin/sealdock-agent"
)

//go:embed sealdock-agent.service
var unitText string

//go:embed udev.rules
var ruleText string

//go:embed sysctl.conf
var limitText string

// Rules is the text of the udev rules that this version needs.
func Rules() string { return ruleText }

// Unit is the text of the systemd unit for an executable and a data folder. Both
// must be absolute and of plain characters: they stand in the unit unquoted.
func Unit(executable, data string) (string, error) {
	for _, path := range []string{executable, data} {
		if err := plainPath(path); err != nil {
			return "", err
		}
	}
	folders := "StateDirectory=" + Name + "\nStateDirectoryMode=0700"
	if data != DataDefault {
		folders = "ReadWritePaths=" + data
	}
	return strings.NewReplacer("@EXECUTABLE@", executable, "@DATA@", data, "@FOLDERS@", folders).Replace(unitText), nil
}

func plainPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/") || filepath.Clean(path) != path:
		return fmt.Errorf("%q: a service needs an absolute path without dot segments", path)
	case !regexp.MustCompile(`^[A-Za-z0-9/._+-]+$`).MatchString(path):
		return fmt.Errorf("%q: a service's paths may consist of letters, digits and / . _ + - only", path)
	}
	return nil
}

// hidden are the folders that the unit does not see, or that do not stay.
func hidden(path string) bool {
	for _, dir := range []string{"/home", "/root", "/run", "/tmp", "/var/tmp", "/dev", "/proc", "/sys"} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}
