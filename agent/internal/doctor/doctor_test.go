package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/service"
	"github.com/sealdock/sealdock/internal/wire"
)

// bench is a station whose parts a test may spoil.
type bench struct {
	*Station
	t       *testing.T
	now     time.Time
	rights  map[string]Rights // by path without Root
	disk    Disk
	clock   Clock
	buffers Buffers
	state   service.State
	user    error
	resolve error
	tcp     error
	udp     error
	offset  time.Duration // of the server's clock
}

const camera = "/dev/bus/usb/001/004"

// newBench is a station with nothing wrong: a camera in bay 1-2, a USB disk sda.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), disk: Disk{Kind: "ext4", Free: 400e9, Total: 500e9}, state: service.StateRunning,
		clock: Clock{Synchronised: true, Error: 3 * time.Millisecond}, buffers: Buffers{Wanted: 7 << 20, Receive: 14 << 20, Send: 14 << 20},
		rights: map[string]Rights{service.DataDefault: {UID: 990, GID: 990, Mode: fs.ModeDir | 0o700}, camera: {UID: 0, GID: 990, Mode: fs.ModeDevice | 0o660}, "/dev/sda": {GID: 990, Mode: fs.ModeDevice | 0o660}}}
	identity := &enrol.Enrolment{Certificate: &x509.Certificate{NotBefore: b.now.AddDate(0, 0, -10), NotAfter: b.now.AddDate(0, 0, 80)}}
	identity.Server, identity.Dock, identity.Station, identity.Agency = "evidence.example.org:4433", "front-desk", "north", "riverton"
	b.Station = &Station{Root: t.TempDir(), Config: daemon.Default(), Identity: identity, Now: func() time.Time { return b.now }, Network: b,
		Disk: func(string) (Disk, error) { return b.disk, nil }, Clock: func() (Clock, error) { return b.clock, nil },
		Buffers: func() (Buffers, error) { return b.buffers, nil }, Service: func() service.State { return b.state },
		User: func() (User, error) { return User{Name: "sealdock-agent", UID: 990, GID: 990}, b.user },
		Rights: func(path string) (Rights, error) {
			path = strings.TrimPrefix(path, b.Root)
			if r, ok := b.rights[path]; ok {
				return r, nil
			}
			if strings.HasPrefix(path, service.DataDefault+"/") {
				return Rights{UID: 990, GID: 990, Mode: 0o600}, nil
			}
			return Rights{}, fmt.Errorf("rights of %s: %w", path, fs.ErrNotExist)
		}}
	unit, err := service.Unit(service.Program, service.DataDefault)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		service.UnitFile: unit, service.RuleFile: service.Rules(), "/run/udev/control": "", service.DataDefault + "/lock": "77\n", service.DataDefault + "/identity/tls.key": "",
		"/proc/77/comm": "sealdock-agent\n", "/proc/77/cgroup": "0::/system.slice/sealdock-agent.service\n", "/proc/sys/kernel/osrelease": "6.1.0\n",
		"/proc/filesystems": "nodev\tproc\n\text4\n\tvfat\n", "/lib/modules/6.1.0/modules.dep": "kernel/fs/exfat/exfat.ko.xz:\n",
		sysfsDevices + "/1-2/busnum": "1\n", sysfsDevices + "/1-2/devnum": "4\n", sysfsDevices + "/1-2/product": "Body Camera\x1b[31m\n",
		sysfsDevices + "/1-2:1.0/bInterfaceClass": "06\n", sysfsDevices + "/1-2:1.0/bInterfaceSubClass": "01\n", sysfsDevices + "/1-2:1.0/bInterfaceProtocol": "01\n",
		"/sys/devices/usb2/2-1/block/sda/removable": "1\n",
	} {
		b.write(path, text)
	}
	b.link("/sys/devices/usb2/2-1/block/sda", "/sys/block/sda")
	return b
}

func (b *bench) write(path, text string) {
	b.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(b.at(path)), 0o755), os.WriteFile(b.at(path), []byte(text), 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) link(to, path string) {
	b.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(b.at(path)), 0o755), os.Symlink(b.at(to), b.at(path))); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) remove(path string) {
	b.t.Helper()
	if err := os.RemoveAll(b.at(path)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) Resolve(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, b.resolve
}
func (b *bench) Connect(context.Context, string) error                     { return b.tcp }
func (b *bench) Handshake(context.Context, string, *enrol.Enrolment) error { return b.udp }
func (b *bench) Date(context.Context, string, *enrol.Enrolment) (time.Time, error) {
	return b.now.Add(b.offset).Truncate(time.Second), b.tcp
}

func TestAHealthyStationHasNothingToMend(t *testing.T) {
	for _, f := range Examine(t.Context(), newBench(t).Station) {
		if f.Verdict != OK || f.Said == "" || f.Check == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestDisksThatAreNotUsedAreNoFault(t *testing.T) {
	b := newBench(t)
	b.Config.Cameras.Storage = false
	b.rights["/dev/sda"] = Rights{GID: 6, Mode: fs.ModeDevice | 0o660}
	b.remove("/lib/modules")
	for _, f := range Examine(t.Context(), b.Station) {
		if f.Verdict != OK {
			t.Errorf("%+v", f)
		}
	}
}

var (
	errSilence = fmt.Errorf("dialling: %w: no answer in time", wire.ErrHandshake)
	refused    = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	nobody     = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}
)

func TestEachFaultIsFoundWithAdvice(t *testing.T) {
	for _, fault := range []struct {
		what    string
		plant   func(b *bench)
		check   string
		verdict Verdict
		said    string // part of the sentence
		advice  string // part of the advice
	}{
		{"a slip in the configuration", func(b *bench) { b.ConfigErr = errors.New("line 3: unknown key spoool") }, "configuration", Fail, "spoool", "config show"},
		{"a slip with a guess", func(b *bench) { b.ConfigErr = errors.New(`unknown key "a", did you mean "b"?`) }, "configuration", Fail, `did you mean "b"?`, "config show"},
		{"not enrolled", func(b *bench) { b.Identity, b.IdentityErr = nil, enrol.ErrNotEnrolled }, "enrolment", Fail, "not enrolled", "enrol"},
		{"certificate ended", func(b *bench) { b.Identity.Certificate.NotAfter = b.now.Add(-time.Hour) }, "certificate", Fail, "ended on 2026-03-01", "new token"},
		{"certificate ends soon", func(b *bench) { b.Identity.Certificate.NotAfter = b.now.AddDate(0, 0, 3) }, "certificate", Warn, "in 3 days", "new token"},
		{"certificate of tomorrow", func(b *bench) { b.Identity.Certificate.NotBefore = b.now.AddDate(0, 0, 1) }, "certificate", Fail, "clock is behind", "Set the clock"},
		{"service stopped", func(b *bench) { b.state = service.StateStopped }, "service", Fail, "does not run", "start"},
		{"service failed", func(b *bench) { b.state = service.StateFailed }, "service", Fail, "failed", "journalctl"},
		{"no service", func(b *bench) { b.state = service.StateNotInstalled }, "service", Fail, "not installed", "install"},
		{"another unit", func(b *bench) { b.write(service.UnitFile, "[Service]\n") }, "service", Warn, "not the one", "drop-in"},
		{"no user", func(b *bench) { b.user = errors.New("unknown user") }, "data folder", Fail, "user sealdock-agent does not exist", "install"},
		{"no data folder", func(b *bench) { delete(b.rights, service.DataDefault) }, "data folder", Fail, "does not exist", "install"},
		{"data folder of root", func(b *bench) { b.rights[service.DataDefault] = Rights{Mode: fs.ModeDir | 0o700} }, "data folder", Fail, "user number 0", "owner and rights"},
		{"data folder for all", func(b *bench) {
			b.rights[service.DataDefault] = Rights{UID: 990, GID: 990, Mode: fs.ModeDir | 0o755}
		}, "data folder", Fail, "0755", "owner and rights"},
		{"data folder locked", func(b *bench) {
			b.rights[service.DataDefault] = Rights{UID: 990, GID: 990, Mode: fs.ModeDir | 0o500}
		}, "data folder", Fail, "may not work", "owner and rights"},
		{"a key of root", func(b *bench) { b.rights[service.DataDefault+"/identity/tls.key"] = Rights{Mode: 0o600} }, "data folder", Fail, "identity/tls.key does not belong", "owner and rights"},
		{"an agent by hand", func(b *bench) { b.write("/proc/77/cgroup", "0::/user.slice/session-3.scope\n") }, "other agent", Warn, "Process 77", "kill 77"},
		{"disk full", func(b *bench) { b.disk.Free = 1 << 20 }, "spool disk", Fail, "1.049 MB", "Make room"},
		{"disk nearly full", func(b *bench) { b.disk.Free = 1 << 30 }, "spool disk", Warn, "little", "Make room"},
		{"disk read-only", func(b *bench) { b.disk.ReadOnly = true }, "spool disk", Fail, "read-only", "dmesg"},
		{"spool in memory", func(b *bench) { b.disk.Kind = "tmpfs" }, "spool disk", Fail, "power cut", "--data"},
		{"spool on the network", func(b *bench) { b.disk.Kind = "nfs" }, "spool disk", Warn, "no local disk", "local disk"},
		{"quota beyond the disk", func(b *bench) { b.Config.Spool.QuotaBytes = 1e15 }, "spool disk", Warn, "more than the whole disk", "quota_bytes"},
		{"no udev rules", func(b *bench) { b.remove(service.RuleFile) }, "udev rules", Fail, "missing", "install"},
		{"old udev rules", func(b *bench) { b.write(service.RuleFile, "# old\n") }, "udev rules", Warn, "not those of this version", "install"},
		{"no udevd", func(b *bench) { b.remove("/run/udev/control") }, "udev rules", Warn, "does not run", "systemd-udevd"},
		{"no USB bus", func(b *bench) { b.remove(sysfsDevices) }, "usb", Fail, "no USB bus", "xhci"},
		{"camera without rights", func(b *bench) { b.rights[camera] = Rights{Mode: fs.ModeDevice | 0o664} }, "usb", Fail, "mode 0664", "udev rules"},
		{"camera without node", func(b *bench) { delete(b.rights, camera) }, "usb", Fail, "no device node", "udevd"},
		{"camera held by a desktop", func(b *bench) {
			b.write("/proc/9/comm", "gvfs-gphoto2-vo\n")
			if err := errors.Join(os.MkdirAll(b.at("/proc/9/fd"), 0o755), os.Symlink(camera, b.at("/proc/9/fd/12"))); err != nil {
				b.t.Fatal(err)
			}
		}, "usb", Fail, "held by gvfs-gphoto2-vo (process 9)", "file manager"},
		{"no exfat", func(b *bench) { b.remove("/lib/modules") }, "mass storage", Warn, "no exfat", "modprobe exfat"},
		{"USB disk without rights", func(b *bench) { b.rights["/dev/sda"] = Rights{GID: 6, Mode: fs.ModeDevice | 0o660} }, "mass storage", Fail, "/dev/sda", "udev rules"},
		{"clock alone", func(b *bench) { b.clock.Synchronised = false }, "clock", Warn, "not synchronised", "timedatectl"},
		{"clock off by a minute", func(b *bench) { b.offset = time.Minute }, "clock", Warn, "at least 59s", "which is wrong"},
		{"clock off by an hour", func(b *bench) { b.offset = -time.Hour }, "clock", Fail, "at least 59m59s", "which is wrong"},
		{"no DNS", func(b *bench) { b.resolve = &net.DNSError{Err: "no such host", IsNotFound: true} }, "server", Fail, "cannot be resolved", "DNS"},
		{"UDP blocked", func(b *bench) { b.udp = errSilence }, "server", Fail, "UDP is blocked", "firewalls"},
		{"server not running", func(b *bench) { b.udp, b.tcp = errSilence, refused }, "server", Fail, "is up, but no server answers", "sealdock-ingest"},
		{"server's machine down", func(b *bench) { b.udp, b.tcp = errSilence, nobody }, "server", Fail, "does not answer at all", "switched on"},
		{"no way to the server", func(b *bench) { b.udp, b.tcp = errors.New("write udp4: network is unreachable"), nobody }, "server", Fail, "does not answer at all", "switched on"},
		{"server closes at once", func(b *bench) { b.udp = &wire.PeerError{Code: 7, Reason: "not you"} }, "server", Fail, "not you", "enrol"},
		{"certificate refused", func(b *bench) { b.udp = fmt.Errorf("%w: the peer refuses our certificate", wire.ErrHandshake) }, "server", Fail, "refuses our certificate", "enrol"},
		{"web port closed alone", func(b *bench) { b.tcp = refused }, "server", Warn, "TCP 8443", "enrolling"},
		{"address without port", func(b *bench) { b.Config.Server.Address = "evidence" }, "server", Fail, "not host:port", "server.address"},
		{"small receive buffer", func(b *bench) { b.buffers.Receive = 425984 }, "udp buffers", Warn, "gets 425984", "net.core.rmem_max = 7340032"},
		{"small send buffer", func(b *bench) { b.buffers.Send = 425984 }, "udp buffers", Warn, "gets 425984", "net.core.wmem_max = 7340032"},
	} {
		t.Run(fault.what, func(t *testing.T) {
			b := newBench(t)
			fault.plant(b)
			found := false
			for _, f := range Examine(t.Context(), b.Station) {
				if f.Verdict != OK && f.Advice == "" {
					t.Errorf("no advice: %+v", f)
				}
				found = found || f.Check == fault.check && f.Verdict == fault.verdict && strings.Contains(f.Said, fault.said) && strings.Contains(f.Advice, fault.advice)
				if strings.HasSuffix(f.Said, "?.") || strings.HasSuffix(f.Said, "..") {
					t.Errorf("this is no end of a sentence: %q", f.Said)
				}
				if strings.Contains(f.Said, "\x1b") {
					t.Errorf("a camera's own words reach the terminal as they are: %q", f.Said)
				}
			}
			if !found {
				t.Errorf("not found, but: %+v", Examine(t.Context(), b.Station))
			}
		})
	}
}

func TestRightsAreThoseOfOwnerGroupOrOthers(t *testing.T) {
	u := User{UID: 5, GID: 6}
	for _, c := range []struct {
		r    Rights
		bits fs.FileMode
		want bool
	}{
		{Rights{UID: 5, GID: 6, Mode: 0o600}, 6, true},
		{Rights{UID: 5, GID: 6, Mode: 0o066}, 6, false}, // the owner's bits count alone
		{Rights{UID: 0, GID: 6, Mode: 0o660}, 6, true},
		{Rights{UID: 0, GID: 6, Mode: 0o640}, 6, false},
		{Rights{UID: 0, GID: 0, Mode: 0o664}, 6, false},
		{Rights{UID: 0, GID: 0, Mode: 0o666}, 6, true},
	} {
		if c.r.allows(u, c.bits) != c.want {
			t.Errorf("%+v %o", c.r, c.bits)
		}
	}
}

func TestAFillingSpoolIsToldWithWhatToDo(t *testing.T) {
	for alarm, want := range map[int]Verdict{0: OK, 70: Warn, 85: Warn, 95: Fail} {
		s := &Station{Spool: func(context.Context) (daemon.SpoolStatus, error) {
			status := daemon.SpoolStatus{Waiting: 12, Bytes: 900, Limit: 1000, Percent: 90, Alarm: alarm}
			if alarm > 0 {
				status.Words = "It is full on Friday."
			}
			return status, nil
		}}
		found := filling(t.Context(), s)
		if len(found) != 1 || found[0].Verdict != want || !strings.Contains(found[0].Said, "12 recordings wait") || (want == OK) != (found[0].Advice == "") || alarm > 0 && !strings.Contains(found[0].Said, "Friday") {
			t.Errorf("alarm %d: %+v", alarm, found)
		}
	}
	s := &Station{Spool: func(context.Context) (daemon.SpoolStatus, error) { return daemon.SpoolStatus{}, daemon.ErrNotRunning }}
	if found := filling(t.Context(), s); len(found) != 0 {
		t.Errorf("without an agent: %+v", found)
	}
}
