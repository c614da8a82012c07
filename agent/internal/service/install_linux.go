package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
)

// Install makes the agent a hardened systemd service: program, user, data folder,
// udev rules, buffer limits, unit. It does not start it.
func Install(ctx context.Context, m Machine, data string, dry bool) error {
	if !m.Privileged && !dry {
		return ErrNotRoot
	}
	if err := m.needSystemd(); err != nil {
		return err
	}
	if hidden(data) {
		return fmt.Errorf("data folder %s: the service does not see this folder, or the system empties it; choose another with --data, such as %s", data, DataDefault)
	}
	unit, err := Unit(m.program(), data)
	if err != nil {
		return err
	}
	manager, err := m.Manager(m.program(), data, unit)
	if err != nil {
		return err
	}
	steps := []step{m.copyProgram(), m.makeUser(data), m.makeFolder(data), m.giveFolder(data)}
	steps = append(steps, m.placeRules(), m.placeLimits(), m.placeUnit(manager, unit))
	return perform(ctx, m.Out, dry, steps)
}

// Uninstall stops and removes the service, its rules and its limits. Data, user
// and program stay.
func Uninstall(ctx context.Context, m Machine, dry bool) error {
	if !m.Privileged && !dry {
		return ErrNotRoot
	}
	if err := m.needSystemd(); err != nil {
		return err
	}
	manager, err := m.Manager(m.program(), DataDefault, "")
	if err != nil {
		return err
	}
	return perform(ctx, m.Out, dry, []step{
		{what: "stop the service", done: func() (bool, error) { return manager.State() != StateRunning, nil }, do: func(context.Context) error { return manager.Stop() }},
		{what: "remove the unit " + UnitFile, done: func() (bool, error) { return m.missing(UnitFile) }, do: func(context.Context) error { return manager.Uninstall() }},
		{what: "remove the udev rules " + RuleFile, done: func() (bool, error) { return m.missing(RuleFile) }, do: func(ctx context.Context) error {
			return errors.Join(durable.Remove(m.at(RuleFile)), m.reloadRules(ctx))
		}},
		{what: "remove the buffer limits " + LimitFile, done: func() (bool, error) { return m.missing(LimitFile) }, do: func(context.Context) error { return durable.Remove(m.at(LimitFile)) }},
	})
}

func (m Machine) at(path string) string { return filepath.Join(m.Root, path) }

func (m Machine) missing(path string) (bool, error) {
	_, err := os.Lstat(m.at(path))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// holds says whether a file has exactly this text.
func (m Machine) holds(path, text string) (bool, error) {
	found, err := os.ReadFile(m.at(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return string(found) == text, err
}

func (m Machine) needSystemd() error {
	if missing, err := m.missing("/run/systemd/system"); err != nil || missing {
		return errors.Join(errors.New("systemd does not run on this machine, and there is no unit for another init system: have yours run `sealdock-agent run --data FOLDER` as a user of its own (docs/dock.md says what it needs)"), err)
	}
	return nil
}

// program is where the service's program is: this one's own file where packages
// put theirs, else a copy in a place that only root can change.
func (m Machine) program() string {
	if dir := filepath.Dir(m.Executable); dir == "/usr/bin" || dir == "/usr/local/bin" {
		return m.Executable
	}
	return Program
}

func (m Machine) copyProgram() step {
	to := m.program()
	return step{
		what: "put this program at " + to,
		done: func() (bool, error) {
			if m.Executable == to {
				return true, nil
			}
			text, err := os.ReadFile(m.Executable)
			if err != nil {
				return false, err
			}
			return m.holds(to, string(text))
		},
		do: func(context.Context) error {
			text, err := os.ReadFile(m.Executable)
			if err != nil {
				return err
			}
			return m.write(to, text, 0o755)
		},
	}
}

// write replaces a whole file, and makes its folder where that is missing.
func (m Machine) write(path string, text []byte, mode fs.FileMode) error {
	if err := durable.MkdirAll(filepath.Dir(m.at(path)), 0o755); err != nil {
		return err
	}
	if err := durable.WriteFile(m.at(path), text, mode); err != nil {
		return err
	}
	return os.Chmod(m.at(path), mode) // whatever the umask
}

func (m Machine) makeUser(data string) step {
	return step{
		what: "make the system user and group " + Name,
		done: func() (bool, error) {
			_, _, err := m.IDs(Name)
			var noUser user.UnknownUserError
			if errors.As(err, &noUser) {
				return false, nil
			}
			return err == nil, err
		},
		do: func(ctx context.Context) error {
			return m.Run(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", data, "--shell", "/usr/sbin/nologin", "--comment", "Sealdock dock agent", Name)
		},
	}
}

func (m Machine) placeRules() step {
	return step{
		what: "give cameras to the agent: udev rules " + RuleFile,
		done: func() (bool, error) { return m.holds(RuleFile, ruleText) },
		do: func(ctx context.Context) error {
			if err := m.write(RuleFile, []byte(ruleText), 0o644); err != nil {
				return err
			}
			return m.reloadRules(ctx)
		},
	}
}

// reloadRules has udevd read its rules, and use them for what is plugged in.
func (m Machine) reloadRules(ctx context.Context) error {
	if missing, err := m.missing("/run/udev/control"); missing || err != nil {
		return err // no udevd runs, which doctor says too
	}
	if err := m.Run(ctx, "udevadm", "control", "--reload"); err != nil {
		return err
	}
	return m.Run(ctx, "udevadm", "trigger", "--action=change", "--subsystem-match=usb", "--subsystem-match=block")
}

func (m Machine) placeLimits() step {
	return step{
		what: "allow large socket buffers: " + LimitFile,
		done: func() (bool, error) { return m.holds(LimitFile, limitText) },
		do: func(ctx context.Context) error {
			if err := m.write(LimitFile, []byte(limitText), 0o644); err != nil {
				return err
			}
			// Where that fails, as in a container, they hold from the next boot on;
			// doctor tells whether they do.
			_ = m.Run(ctx, "sysctl", "--quiet", "--load", LimitFile)
			return nil
		},
	}
}

// placeUnit installs the unit anew where it is another text or not enabled.
func (m Machine) placeUnit(manager Manager, unit string) step {
	enabled := "/etc/systemd/system/multi-user.target.wants/" + Name + ".service"
	return step{
		what: "install and enable the unit " + UnitFile,
		done: func() (bool, error) {
			same, err := m.holds(UnitFile, unit)
			if err != nil || !same {
				return false, err
			}
			missing, err := m.missing(enabled)
			return !missing, err
		},
		do: func(context.Context) error {
			if missing, err := m.missing(UnitFile); err != nil {
				return err
			} else if !missing {
				if err := manager.Uninstall(); err != nil {
					return err
				}
			}
			return manager.Install()
		},
	}
}
