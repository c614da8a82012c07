package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// rig is a station whose data folders lie on disks that are cut.
type rig struct {
	*campaign
	*station.Station
	dir, kind string
	random    *rand.Rand
	server    []*disk // the data folder's and, sometimes, the catalog's
	dock      *disk
	seen      seen
	busy      time.Duration // what an offload takes without a cut, from its first byte on
	starting  time.Duration // what a start takes

	ended, published int // recordings and checkpoints that were counted already
}

// begin makes disks, server, dock and n+1 cameras, and offloads the first camera undisturbed.
func (r *rig) begin(ctx context.Context, n, number int) (err error) {
	if r.dock, err = newDisk(ctx, r.dir, "dock-disk", r.kind); err != nil {
		return err
	}
	names := []string{"server-disk", "catalog-disk"}
	for _, name := range names[:1+number%2] {
		d, err := newDisk(ctx, r.dir, name, r.kind)
		if err != nil {
			return err
		}
		r.server = append(r.server, d)
	}
	options := station.Options{IngestDir: filepath.Join(r.server[0].at, "data"), AgentDir: filepath.Join(r.dock.at, "data")}
	if len(r.server) > 1 {
		r.counts["stores with a catalog on its own file system"]++
		options.Catalog = "sqlite:" + filepath.Join(r.server[1].at, "catalog.db")
	}
	if r.Station, err = station.New(ctx, r.dir, r.programs, options); err != nil {
		return err
	}
	size := sizes[r.random.IntN(len(sizes))]
	if err := r.StartSimulator(ctx, "--unplugged", "--cameras", fmt.Sprint(n+1), "--files", fmt.Sprint(files), "--file-size", size, "--seed", fmt.Sprint(number*perStore+1)); err != nil {
		return err
	}
	if r.random.IntN(2) == 0 { // what init said is made outlives a cut
		r.counts["straight after init"]++
		if err := r.power(ctx, true, false, nil); err != nil {
			return err
		}
	}
	if err := errors.Join(r.StartIngest(ctx), r.Enrol(ctx)); err != nil {
		return err
	}
	if r.random.IntN(2) == 0 { // and so does an enrolment, on both sides
		r.counts["straight after an enrolment"]++
		if err := errors.Join(r.power(ctx, true, true, nil), r.StartIngest(ctx)); err != nil {
			return err
		}
	}
	if r.careless != "" {
		if err := r.turnCareless(ctx); err != nil {
			return err
		}
	}
	r.seen.watch(r.Web)
	if err := r.StartAgent(ctx); err != nil {
		return err
	}
	if err := r.plug(ctx, 1); err != nil {
		return err
	}
	if err := r.copying(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := r.drained(ctx); err != nil {
		return err
	}
	r.busy = time.Since(began)
	return nil
}

// copying waits until the spool has a recording, for two seconds at most.
func (r *rig) copying(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < 2*time.Second; {
		found, err := filepath.Glob(filepath.Join(r.AgentDir(), "recordings", "*"))
		if err != nil || len(found) > 0 {
			return err
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// end stops everything and lets the disks go. What a failure leaves stays.
func (r *rig) end(failed error) error {
	r.seen.stop()
	if failed != nil && r.Station != nil {
		failed = fmt.Errorf("%w\nIn %s.%s", failed, r.dir, r.lastWords())
	}
	if r.Station != nil {
		for _, p := range []*station.Process{r.Agent, r.Ingest, r.Simulator} {
			if p != nil && p.Running() {
				p.Kill()
			}
		}
	}
	if failed != nil && r.keep {
		return failed
	}
	var errs []error
	for _, d := range append(slices.Clone(r.server), r.dock) {
		if d != nil {
			errs = append(errs, d.release())
		}
	}
	if failed == nil && errors.Join(errs...) == nil {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(append([]error{failed}, errs...)...)
}

// lastWords is the end of the logs of server and dock.
func (r *rig) lastWords() string {
	var b strings.Builder
	for _, p := range []*station.Process{r.Ingest, r.Agent} {
		if p != nil {
			fmt.Fprintf(&b, "\n%s says at last:\n%s", p.Name, p.Tail(25))
		}
	}
	return b.String()
}

func (r *rig) plug(ctx context.Context, camera int) error {
	_, err := r.Control(ctx, "plug", fmt.Sprintf("1-%d", camera))
	return err
}

// undock takes empty cameras out, as officers do.
func (r *rig) undock(ctx context.Context) error {
	o, err := r.Oracle()
	if err != nil {
		return err
	}
	for n, camera := range o.Cameras {
		if camera.Plugged && !slices.ContainsFunc(camera.Recordings, func(r station.Recording) bool { return !r.Deleted }) {
			if _, err := r.Control(ctx, "unplug", fmt.Sprintf("1-%d", n+1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// upTo is a random time below d.
func (r *rig) upTo(d time.Duration) time.Duration { return time.Duration(r.random.Int64N(int64(d))) }

// round docks a camera, cuts the power at some moment of its offload, looks with
// everything down, and gives the power back; sometimes it goes again at once.
func (r *rig) round(ctx context.Context, camera int) error {
	if err := errors.Join(r.undock(ctx), r.plug(ctx, camera)); err != nil {
		return err
	}
	besides := r.besides(ctx)
	if r.random.IntN(4) > 0 { // else perhaps before the first byte
		if err := r.copying(ctx); err != nil {
			return err
		}
	}
	if err := sleep(ctx, r.upTo(r.busy+r.busy/5)); err != nil {
		return err
	}
	which := r.random.IntN(3)
	server, dock := which != 0, which != 1
	if err := r.cut(ctx, server, dock, besides); err != nil {
		return err
	}
	for r.random.IntN(4) == 0 {
		again := r.upTo(r.starting + r.starting/2 + 200*time.Millisecond)
		if err := r.startFor(ctx, again, server, dock); err != nil {
			return err
		}
		r.counts["met a start"]++
		if err := r.cut(ctx, server, dock, nil); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := r.start(ctx, server, dock); err != nil {
		return err
	}
	r.starting = max(r.starting, min(time.Since(began), time.Second))
	return nil
}

// start starts what is named, both at once, and waits until it is there.
func (r *rig) start(ctx context.Context, server, dock bool) error {
	var starts sync.WaitGroup
	var one, other error
	if server {
		starts.Go(func() { one = r.StartIngest(ctx) })
	}
	if dock {
		starts.Go(func() { other = r.StartAgent(ctx) })
	}
	starts.Wait()
	return errors.Join(one, other)
}

// startFor starts what is named and returns after that time, however far they are.
func (r *rig) startFor(ctx context.Context, d time.Duration, server, dock bool) error {
	short, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := r.start(short, server, dock)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if server && !r.Ingest.Running() || dock && !r.Agent.Running() {
		return fmt.Errorf("after a cut it does not stay up: %w", err)
	}
	<-short.Done()
	return nil
}

// besides starts, sometimes, what else a server does.
func (r *rig) besides(ctx context.Context) *exec.Cmd {
	var args []string
	switch r.random.IntN(8) {
	case 0:
		args = []string{"backup", filepath.Join(r.server[0].at, "backups")}
	case 1:
		args = []string{"keys", "rotate", "--new"}
	case 2:
		args = []string{"fsck"}
	case 3:
		args = append([]string{"scrub"}, r.seen.some(r.random, 5)...)
	default:
		return nil
	}
	cmd := exec.CommandContext(ctx, r.programs.Ingest, append(args, "--config", filepath.Join(r.Options.IngestDir, "ingest.toml"))...)
	if cmd.Start() != nil {
		return nil
	}
	r.counts["beside "+args[0]]++
	return cmd
}

// cut takes the power of what is named, gives it back, and looks with that still down.
func (r *rig) cut(ctx context.Context, server, dock bool, besides *exec.Cmd) error {
	if err := r.seen.look(ctx, r); err != nil {
		return err
	}
	if err := r.power(ctx, server, dock, besides); err != nil {
		return err
	}
	if err := r.sound(ctx, true); err != nil {
		return err
	}
	var roots []string
	if server {
		roots = append(roots, r.Options.IngestDir)
	}
	if dock {
		roots = append(roots, r.AgentDir())
	}
	return r.age(roots...)
}

// power is gone from what is named, which is killed, and comes back to its disks.
func (r *rig) power(ctx context.Context, server, dock bool, besides *exec.Cmd) error {
	var disks []*disk
	if server {
		disks = append(disks, r.server...)
	}
	if dock {
		disks = append(disks, r.dock)
	}
	r.random.Shuffle(len(disks), func(i, j int) { disks[i], disks[j] = disks[j], disks[i] })
	errs := []error{r.freeze(server, dock, besides)}
	for _, d := range disks {
		errs = append(errs, d.cut())
	}
	if server {
		r.counts["of a server"]++
		if r.Ingest != nil {
			r.Ingest.Kill()
		}
	}
	if dock {
		r.counts["of a dock"]++
		if r.Agent != nil {
			r.Agent.Kill()
		}
	}
	if besides != nil {
		if server {
			besides.Process.Kill()
		}
		if besides.Wait() == nil {
			r.counts["with what went beside it done"]++
		}
	}
	for _, d := range disks {
		errs = append(errs, d.back(ctx))
	}
	r.counts["cuts"]++
	return errors.Join(errs...)
}

// freeze stops what the power goes away from, before its file systems do. It would go on
// for a moment else, and an fsync that is under way when the file system goes may return
// without an error (Linux 6.18.44: for 16 of 600 files on ext4, 21 of 600 on XFS). What a
// program does then, none does without power.
func (r *rig) freeze(server, dock bool, besides *exec.Cmd) error {
	var ids []int
	if server && r.Ingest != nil {
		ids = append(ids, r.Ingest.ID())
	}
	if dock && r.Agent != nil {
		ids = append(ids, r.Agent.ID())
	}
	if server && besides != nil {
		ids = append(ids, besides.Process.Pid)
	}
	for _, id := range ids {
		if err := unix.Kill(id, unix.SIGSTOP); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	for _, id := range ids {
		for tries := 0; tries < 20 && !stopped(id); tries++ { // a thread in fsync stops when it returns from it
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// stopped says that all threads of a process have stopped, or wait for the disk.
func stopped(id int) bool {
	states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", id))
	for _, path := range states {
		text, readErr := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		if err == nil && readErr == nil && rest != "" && !strings.ContainsAny(rest[:1], "TtDZX") {
			return false
		}
	}
	return err == nil
}

// sleep waits without outliving ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
