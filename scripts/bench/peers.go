package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

type peersCommand struct {
	common
	MiB   int64    `name:"mib" default:"2048" help:"MiB of the one long file."`
	Mid   int      `default:"200" help:"How many files of 10 MiB."`
	Small int      `default:"2000" help:"How many files of 64 KiB."`
	Only  []string `help:"Measure only these: Sealdock, restic, Syncthing, rsync."`
	Path  string   `default:".run/peers/bin" help:"Folder that is looked into for other tools before PATH."`
}

// The tools, by the names of their rows.
const (
	product   = "Sealdock"
	restic    = "restic to rest-server"
	syncthing = "Syncthing to Syncthing"
	rsync     = "rsync -c --fsync over ssh"
)

// set is the data that all of them carry. The product carries as much from its
// simulated cameras.
type set struct {
	docking
	dir string
}

// peer is another tool.
type peer struct {
	name  string
	needs []string // programs
	carry func(ctx context.Context, r *peerRun, s set) (carried, error)
}

var peers = []peer{
	{restic, []string{"restic", "rest-server"}, carryRestic},
	{syncthing, []string{"syncthing"}, carrySyncthing},
	{rsync, []string{"rsync", "ssh", "sshd", "ssh-keygen"}, carryRsync},
}

// carried is what one tool took for one set.
type carried struct {
	wall           time.Duration
	client, server float64 // processor seconds
}

func (c carried) into(r *Row, s set) {
	gb := float64(s.bytes()) / 1e9
	r.add("MB/s", gb*1e3/c.wall.Seconds())
	r.add("files/s", float64(s.count())/c.wall.Seconds())
	r.add("client s/GB", c.client/gb)
	r.add("server s/GB", c.server/gb)
	r.add("both s/GB", (c.client+c.server)/gb)
	r.add("ms/file", (c.client+c.server)*1e3/float64(s.count()))
}

// Run measures the product and its peers in turn, set by set, round by round.
func (c *peersCommand) Run(ctx context.Context) error {
	b, err := c.prepare("peers")
	if err != nil {
		return err
	}
	sets := []set{
		{docking{"2 GiB", 1, 1, c.MiB << 20}, filepath.Join(b.work, "data", "one")},
		{docking{"10 MiB each", 1, c.Mid, 10 << 20}, filepath.Join(b.work, "data", "mid")},
		{docking{"64 KiB each", 1, c.Small, 64 << 10}, filepath.Join(b.work, "data", "small")},
	}
	run, err := newPeerRun(b, c.Path)
	if err != nil {
		return err
	}
	var there []peer
	for _, p := range peers {
		if !c.wanted(p.name) {
			b.result.note("%s: left out by --only", p.name)
		} else if missing := run.missing(p.needs); len(missing) > 0 {
			b.result.note("%s: MISSING here, not compared: install %s (scripts/bench/install-peers)", p.name, strings.Join(missing, ", "))
		} else {
			there = append(there, p)
			b.result.note("%s: %s", p.name, run.version(p))
		}
	}
	b.result.note("tusd, croc, rclone: not compared; none of them proves on the server what the source hashed, and makes it durable before it says so")
	for _, s := range sets {
		say("making %d files of %d KiB", s.count(), s.FileBytes>>10)
		if err := s.make(); err != nil {
			return err
		}
	}
	for round := range c.Rounds {
		for _, s := range sets {
			say("round %d of %d, %s", round+1, c.Rounds, s.Name)
			if c.wanted(product) {
				spent, err := b.dock(ctx, s.docking)
				if err != nil {
					return err
				}
				c.note(b, product, s, carried{time.Duration(spent.Wall * float64(time.Second)), spent.Agent, spent.Ingest})
			}
			for _, p := range there {
				took, err := run.carry(ctx, p, s)
				if err != nil {
					return fmt.Errorf("%s with %s: %w", p.name, s.Name, err)
				}
				c.note(b, p.name, s, took)
			}
		}
	}
	c.judge(b.result, sets)
	return b.finish()
}

func (c *peersCommand) wanted(name string) bool {
	for _, o := range c.Only {
		if strings.Contains(name, o) {
			return true
		}
	}
	return len(c.Only) == 0
}

func (c *peersCommand) note(b *bench, name string, s set, took carried) {
	took.into(b.result.row(s.Name+": "+name), s)
	say("%s, %s: %.0f MB/s, %.1f files/s, %.2f + %.2f s/GB", name, s.Name, float64(s.bytes())/1e6/took.wall.Seconds(), float64(s.count())/took.wall.Seconds(),
		took.client/float64(s.bytes())*1e9, took.server/float64(s.bytes())*1e9)
}

func (c *peersCommand) judge(r *Result, sets []set) {
	against := func(s set, name, figure string) []float64 {
		return ratios(r.look(s.Name + ": " + product).Figures[figure], r.look(s.Name + ": " + name).Figures[figure])
	}
	for _, s := range sets[:2] {
		r.atLeast(s.Name+": throughput against restic", 2, against(s, restic, "MB/s"))
		r.atMost(s.Name+": CPU against restic", 0.85, against(s, restic, "both s/GB"))
		r.atLeast(s.Name+": throughput against Syncthing", 1, against(s, syncthing, "MB/s"))
	}
	small := sets[2]
	r.atLeast(small.Name+": throughput against Syncthing", 1, against(small, syncthing, "MB/s"))
	r.atLeast(small.Name+": files a second against rsync", 2, against(small, rsync, "files/s"))
	r.atMost(small.Name+": CPU per file against rsync", 0.9, against(small, rsync, "ms/file"))
}

// make writes the set's files, of random bytes.
func (s set) make() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	for i := range s.count() {
		f, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("f%05d.bin", i)))
		if err != nil {
			return err
		}
		_, err = io.CopyN(f, rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(s.FileBytes >> 10)}), s.FileBytes)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// warm brings the files into the page cache: where they lie is nobody's merit.
func (s set) warm() error {
	return filepath.Walk(s.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, f)
		return err
	})
}

// peerRun is what the tools share: certificates, keys, a log, and a folder that
// is fresh for each.
type peerRun struct {
	path   string // before PATH
	dir    string
	target string // where the server puts what comes; removed after each
	log    *os.File
}

func newPeerRun(b *bench, path string) (*peerRun, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	r := &peerRun{path: absolute, dir: filepath.Join(b.work, "peers")}
	r.target = filepath.Join(r.dir, "target")
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeKeyPair(r.file("cert.pem"), r.file("key.pem"), "127.0.0.1"); err != nil {
		return nil, err
	}
	r.log, err = os.Create(filepath.Join(b.Dir, "peers.log"))
	return r, err
}

func (r *peerRun) file(name string) string { return filepath.Join(r.dir, name) }

// find gives the path of a program.
func (r *peerRun) find(name string) (string, error) {
	if path, err := exec.LookPath(filepath.Join(r.path, name)); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

func (r *peerRun) missing(programs []string) (names []string) {
	for _, name := range programs {
		if _, err := r.find(name); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// version is what the tool says of itself.
func (r *peerRun) version(p peer) string {
	flag := map[string]string{restic: "version", syncthing: "--version", rsync: "--version"}[p.name]
	path, err := r.find(p.needs[0])
	if err != nil {
		return err.Error()
	}
	out, err := exec.Command(path, flag).Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// command is a program with its output in the log, which ends with this process.
func (r *peerRun) command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	path, err := r.find(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	fmt.Fprintln(r.log, "===", cmd)
	return cmd, nil
}

// run runs a program to its end.
func (r *peerRun) run(ctx context.Context, env []string, name string, args ...string) (*exec.Cmd, error) {
	cmd, err := r.command(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w; see %s", cmd, err, r.log.Name())
	}
	return cmd, nil
}

// serve starts a program that serves until stop.
func (r *peerRun) serve(ctx context.Context, env []string, name string, args ...string) (cmd *exec.Cmd, stop func(), err error) {
	if cmd, err = r.command(ctx, name, args...); err != nil {
		return nil, nil, err
	}
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return cmd, func() {
		cmd.Process.Signal(unix.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		defer timer.Stop()
		cmd.Wait()
	}, nil
}

// carry lets a tool carry a set to a fresh target.
func (r *peerRun) carry(ctx context.Context, p peer, s set) (carried, error) {
	if err := errors.Join(os.RemoveAll(r.target), os.MkdirAll(r.target, 0o700), s.warm()); err != nil {
		return carried{}, err
	}
	defer os.RemoveAll(r.target)
	unix.Sync() // what others have left to write is not theirs
	limited, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	return p.carry(limited, r, s)
}

// between runs the client to its end and takes what both have used.
func (r *peerRun) between(ctx context.Context, server *exec.Cmd, env []string, name string, args ...string) (carried, error) {
	before, err := treeCPU(server.Process.Pid)
	if err != nil {
		return carried{}, err
	}
	began := time.Now()
	client, err := r.run(ctx, env, name, args...)
	if err != nil {
		return carried{}, err
	}
	wall := time.Since(began)
	after, err := treeCPU(server.Process.Pid)
	return carried{wall, (client.ProcessState.UserTime() + client.ProcessState.SystemTime()).Seconds(), after - before}, err
}

func carryRestic(ctx context.Context, r *peerRun, s set) (c carried, err error) {
	address, err := freeAddress()
	if err != nil {
		return c, err
	}
	server, stop, err := r.serve(ctx, nil, "rest-server", "--listen", address, "--path", r.target, "--no-auth", "--tls", "--tls-cert", r.file("cert.pem"), "--tls-key", r.file("key.pem"))
	if err != nil {
		return c, err
	}
	defer stop()
	if err := awaitTCP(ctx, address); err != nil {
		return c, err
	}
	env := []string{"RESTIC_PASSWORD=x", "RESTIC_REPOSITORY=rest:https://" + address + "/"}
	flags := []string{"-q", "--no-cache", "--cacert", r.file("cert.pem"), "-o", "rest.connections=5"}
	if _, err := r.run(ctx, env, "restic", append(flags, "init")...); err != nil {
		return c, err
	}
	return r.between(ctx, server, env, "restic", append(flags, "--compression", "off", "backup", s.dir)...)
}

func carryRsync(ctx context.Context, r *peerRun, s set) (c carried, err error) {
	address, err := freeAddress()
	if err != nil {
		return c, err
	}
	_, port, _ := strings.Cut(address, ":")
	if err := r.sshKeys(ctx); err != nil {
		return c, err
	}
	conf := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\n", port, r.file("host"), r.file("id.pub"))
	if err := os.WriteFile(r.file("sshd.conf"), []byte(conf), 0o600); err != nil {
		return c, err
	}
	if os.Geteuid() == 0 { // where sshd locks itself in
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return c, err
		}
	}
	server, stop, err := r.serve(ctx, nil, "sshd", "-D", "-e", "-f", r.file("sshd.conf"))
	if err != nil {
		return c, err
	}
	defer stop()
	if err := awaitTCP(ctx, address); err != nil {
		return c, err
	}
	shell := fmt.Sprintf("ssh -p %s -i %s -c aes256-gcm@openssh.com -o StrictHostKeyChecking=no -o UserKnownHostsFile=%s -o LogLevel=ERROR", port, r.file("id"), r.file("known"))
	return r.between(ctx, server, nil, "rsync", "-a", "-c", "-W", "--fsync", "-e", shell, s.dir+"/", "127.0.0.1:"+r.target+"/")
}

func (r *peerRun) sshKeys(ctx context.Context) error {
	for _, name := range []string{"host", "id"} {
		if _, err := os.Stat(r.file(name)); err == nil {
			continue
		}
		if _, err := r.run(ctx, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", r.file(name)); err != nil {
			return err
		}
	}
	os.Remove(r.file("known"))
	return nil
}
