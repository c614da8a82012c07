package service

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// lab is a system below a folder, with a manager that writes and removes the unit.
type lab struct {
	Machine
	out      bytes.Buffer
	commands []string
	user     bool // there is the agent's user
	state    State
	unit     string
	installs int
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{state: StateNotInstalled}
	root := t.TempDir()
	for _, dir := range []string{"run/systemd/system", "run/udev", "etc/systemd/system/multi-user.target.wants", "home/admin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(root, "home/admin/sealdock-agent")
	for _, file := range []string{program, filepath.Join(root, "run/udev/control")} {
		if err := os.WriteFile(file, []byte("\x7fELF program"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.Machine = Machine{Root: root, Privileged: true, Executable: program, Out: &l.out,
		Run: func(_ context.Context, name string, arguments ...string) error {
			l.commands = append(l.commands, name+" "+strings.Join(arguments, " "))
			l.user = l.user || name == "useradd"
			return nil
		},
		IDs: func(name string) (int, int, error) {
			if !l.user {
				return 0, 0, user.UnknownUserError(name)
			}
			return os.Geteuid(), os.Getegid(), nil
		},
		Manager: func(_, _, unit string) (Manager, error) { l.unit = unit; return labManager{l}, nil },
	}
	return l
}

type labManager struct{ l *lab }

func (m labManager) wants() string {
	return filepath.Join(m.l.Root, "etc/systemd/system/multi-user.target.wants/sealdock-agent.service")
}

func (m labManager) Install() error {
	m.l.installs++
	m.l.state = StateStopped
	return errors.Join(os.WriteFile(m.l.at(UnitFile), []byte(m.l.unit), 0o644), os.Symlink(UnitFile, m.wants()))
}

func (m labManager) Uninstall() error {
	m.l.state = StateNotInstalled
	return errors.Join(os.Remove(m.l.at(UnitFile)), os.Remove(m.wants()))
}
func (m labManager) Start() error   { m.l.state = StateRunning; return nil }
func (m labManager) Stop() error    { m.l.state = StateStopped; return nil }
func (m labManager) Restart() error { return m.Start() }
func (m labManager) State() State   { return m.l.state }

// tree lists all below a folder with what files hold.
func tree(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text := []byte(nil)
		if d.Type().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		info, err := d.Info()
		all.WriteString(path + " " + info.Mode().String() + " " + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func install(t *testing.T, l *lab) string {
	t.Helper()
	l.out.Reset()
	l.commands = nil
	if err := Install(t.Context(), l.Machine, DataDefault, false); err != nil {
		t.Fatal(err)
	}
	return l.out.String()
}

func TestInstallDoesEverythingAndASecondOneNothing(t *testing.T) {
	l := newLab(t)
	if text := install(t, l); strings.Count(text, "done ") != 7-1 { // all in the folder is its own: nothing to give
		t.Errorf("the first time:\n%s", text)
	}
	for path, want := range map[string]string{Program: "\x7fELF program", RuleFile: ruleText, LimitFile: limitText, UnitFile: l.unit} {
		if same, err := l.holds(path, want); err != nil || !same {
			t.Errorf("%s does not hold what it should: %v", path, err)
		}
	}
	if info, err := os.Stat(l.at(DataDefault)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v %v", info, err)
	}
	commands := strings.Join(l.commands, "\n")
	for _, want := range []string{"useradd --system", "udevadm control --reload", "udevadm trigger"} {
		if !strings.Contains(commands, want) {
			t.Errorf("%q was not run, but:\n%s", want, commands)
		}
	}
	before := tree(t, l.Root)
	if text := install(t, l); strings.Count(text, "unchanged") != 7 || len(l.commands) != 0 || tree(t, l.Root) != before {
		t.Errorf("the second time:\n%s\n%v", text, l.commands)
	}
}

func TestInstallMendsWhatWasChanged(t *testing.T) {
	for what, spoil := range map[string]func(l *lab) error{
		"unit":     func(l *lab) error { return os.WriteFile(l.at(UnitFile), []byte("[Service]\n"), 0o644) },
		"disabled": func(l *lab) error { return os.Remove(labManager{l}.wants()) },
		"rules":    func(l *lab) error { return os.Remove(l.at(RuleFile)) },
		"folder":   func(l *lab) error { return os.Chmod(l.at(DataDefault), 0o755) },
		"program":  func(l *lab) error { return os.WriteFile(l.at(Program), []byte("an older one"), 0o755) },
	} {
		t.Run(what, func(t *testing.T) {
			l := newLab(t)
			install(t, l)
			before := tree(t, l.Root)
			if what == "disabled" {
				l.Machine.Manager = func(_, _, unit string) (Manager, error) { l.unit = unit; return mending{labManager{l}}, nil }
			}
			if err := spoil(l); err != nil {
				t.Fatal(err)
			}
			if text := install(t, l); strings.Count(text, "done ") != 1 || tree(t, l.Root) != before {
				t.Errorf("after it was spoilt:\n%s", text)
			}
		})
	}
}

// mending uninstalls a unit that is not enabled, as systemctl does.
type mending struct{ labManager }

func (m mending) Uninstall() error { return os.Remove(m.l.at(UnitFile)) }

func TestADryRunAndWhoIsNotRootChangeNothing(t *testing.T) {
	l := newLab(t)
	before := tree(t, l.Root)
	l.Privileged = false
	if err := Install(t.Context(), l.Machine, DataDefault, true); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(l.out.String(), "would "); n != 7 {
		t.Errorf("%d of 7 steps are told:\n%s", n, l.out.String())
	}
	if err := Install(t.Context(), l.Machine, DataDefault, false); !errors.Is(err, ErrNotRoot) {
		t.Errorf("without root: %v", err)
	}
	if err := Uninstall(t.Context(), l.Machine, false); !errors.Is(err, ErrNotRoot) {
		t.Errorf("without root: %v", err)
	}
	if tree(t, l.Root) != before || len(l.commands) != 0 {
		t.Error("something was changed")
	}
}

func TestUninstallLeavesDataAlone(t *testing.T) {
	l := newLab(t)
	install(t, l)
	kept := filepath.Join(l.at(DataDefault), "journal.db")
	if err := os.WriteFile(kept, []byte("waiting"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.state = StateRunning
	data := tree(t, l.at(DataDefault))
	for range 2 { // the second finds nothing to do
		if err := Uninstall(t.Context(), l.Machine, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{UnitFile, RuleFile, LimitFile} {
		if missing, err := l.missing(path); err != nil || !missing {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	if tree(t, l.at(DataDefault)) != data || l.state != StateNotInstalled {
		t.Errorf("data was touched, or the service is %s", l.state)
	}
}

func TestFoldersThatCannotServeAreRefused(t *testing.T) {
	for _, data := range []string{"/home/admin/dock", "/tmp/dock", "/", "relative", "/srv/a dock", "/srv/../etc", "/srv/%h"} {
		l := newLab(t)
		if err := Install(t.Context(), l.Machine, data, false); err == nil {
			t.Errorf("%q was taken:\n%s", data, l.out.String())
		}
		if l.installs != 0 {
			t.Errorf("%q: a unit was installed", data)
		}
	}
	l := newLab(t)
	if err := os.MkdirAll(l.at("/srv/photos/2020"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Install(t.Context(), l.Machine, "/srv/photos", false); err == nil || !strings.Contains(err.Error(), "no agent's data folder") {
		t.Errorf("a folder of somebody else: %v", err)
	}
}

func TestHandingOverFollowsNoLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: only root may give files away")
	}
	data, elsewhere := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "shadow")
	if err := errors.Join(os.MkdirAll(filepath.Join(data, "identity"), 0o700), os.WriteFile(elsewhere, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(os.WriteFile(filepath.Join(data, "identity/tls.key"), nil, 0o600), os.Symlink(elsewhere, filepath.Join(data, "link")),
		os.Link(elsewhere, filepath.Join(data, "hard")), os.Chown(data, 12345, 12346))
	if err != nil {
		t.Skip("two temporary folders on two file systems: ", err)
	}
	if err := HandOver(data); err != nil {
		t.Fatal(err)
	}
	strangers := 0
	if err := eachStranger(data, 12345, 12346, func(*os.Root, string) error { strangers++; return nil }); err != nil || strangers != 0 {
		t.Errorf("%d files were not handed over: %v", strangers, err)
	}
	foreign := 0
	if err := eachStranger(filepath.Dir(elsewhere), os.Geteuid(), os.Getegid(), func(*os.Root, string) error { foreign++; return nil }); err != nil || foreign != 0 {
		t.Errorf("a file elsewhere was given away: %v", err)
	}
}

func TestTheUnitIsHardened(t *testing.T) {
	unit, err := Unit(Program, DataDefault)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Type=notify", "WatchdogSec=", "ExecStart=" + Program + " run --data " + DataDefault + "\n", "StateDirectory=sealdock-agent"} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	if strings.Contains(unit, "@FOLDERS@") || strings.Contains(unit, "{{") {
		t.Error("the unit has marks in it")
	}
	if other, err := Unit(Program, "/srv/dock"); err != nil || !strings.Contains(other, "ReadWritePaths=/srv/dock") {
		t.Errorf("another folder: %v", err)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here: what it thinks is checked where it is")
	}
	file := filepath.Join(t.TempDir(), "sealdock-agent.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", "--no-pager", file).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security finds more exposure than 2.0: %v\n%s", err, out)
	}
}
