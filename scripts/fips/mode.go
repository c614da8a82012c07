package main

import (
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/sealdock/sealdock"

// mode is one way in which a build meets Go's FIPS 140-3 module. Programs that
// tests build and start get it too, since both settings are in their environment.
type mode struct {
	name        string
	environment []string
	want        func(state) bool
	all         bool // with every package, not only those that do cryptography
}

// In certified-only the certified module v1.0.0 wraps no key, and a server that
// wraps no key has no tests that could pass (internal/seal/FORMAT.md section 7).
var modes = []mode{
	{"on", []string{"GODEBUG=fips140=on", "GOFIPS140=off"}, func(s state) bool { return s.Enabled && !s.Enforced && s.Version == "latest" }, true},
	{"certified", []string{"GODEBUG=", "GOFIPS140=certified"}, func(s state) bool { return s.Enabled && !s.Enforced && s.Version != "latest" }, true},
	{"only", []string{"GODEBUG=fips140=only", "GOFIPS140=off"}, func(s state) bool { return s.Enabled && s.Enforced && s.Version == "latest" }, true},
	{"certified-only", []string{"GODEBUG=fips140=only", "GOFIPS140=certified"}, func(s state) bool { return s.Enabled && s.Enforced && s.Version != "latest" }, false},
}

// of gives those of the packages that run in the mode.
func (m mode) of(packages []string) []string {
	if m.all {
		return packages
	}
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool { return !slices.Contains(quick, p) })
}

func modeNames() []string {
	var names []string
	for _, m := range modes {
		names = append(names, m.name)
	}
	return names
}

// state is what a program in a mode knows of it.
type state struct {
	Version  string
	Enabled  bool
	Enforced bool
}

func thisState() state {
	return state{fips140.Version(), fips140.Enabled(), fips140.Enforced()}
}

func (s state) String() string {
	text := "module " + s.Version + " off"
	if s.Enabled {
		text = "module " + s.Version + " on"
	}
	if s.Enforced {
		text += ", enforced"
	}
	return text
}

// check builds and starts a program in the mode and asks it which it is in: a
// mode that does not take effect would prove nothing.
func (m mode) check() (state, error) {
	var s state
	cmd := m.command("go", "run", "./scripts/fips", stateCommand)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil {
		return s, fmt.Errorf("asking a program which mode it is in: %w", err)
	}
	if !m.want(s) {
		return s, fmt.Errorf("a program built and started with %s has %s: does this Go know the mode?", strings.Join(m.environment, " "), s)
	}
	return s, nil
}

// command prepares a command with the mode in its environment.
func (m mode) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), m.environment...)
	return cmd
}
