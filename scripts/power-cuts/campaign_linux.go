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
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

const (
	perStation = 25 // rounds until the stores are made anew
	files      = 3  // recordings of a camera
	patience   = time.Minute
)

// sizes of recordings: less than a segment, more, and several.
var sizes = []string{"40KiB", "1100KiB", "3MiB"}

// falseAlarms are what no cut may raise.
var falseAlarms = []string{"evidence_damaged", "evidence_unproven", "evidence_healed", "store_orphans", "log_set_back", "log_entries_lost", "erased_bare", "vanished"}

// campaign is all rounds on all kinds of file system.
type campaign struct {
	rounds   int
	kinds    []string
	seed     uint64
	bin, dir string
	keep     bool

	programs station.Programs
	random   *rand.Rand
	counts   map[string]int
}

func (c *campaign) run(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("it mounts file systems: run it as root")
	}
	if c.programs, err = station.In(c.bin); err != nil {
		return err
	}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "power-cuts"); err != nil {
			return err
		}
	}
	fmt.Printf("power-cuts: seed %d, in %s\n", c.seed, c.dir)
	defer func() {
		if err == nil || !c.keep {
			os.RemoveAll(c.dir)
		}
	}()
	for _, kind := range c.kinds {
		c.random, c.counts = rand.New(rand.NewPCG(c.seed, uint64(len(kind)))), map[string]int{}
		if err := bites(ctx, c.dir, kind); err != nil {
			return err
		}
		began := time.Now()
		for cuts := 0; cuts < c.rounds; cuts += perStation {
			n := min(perStation, c.rounds-cuts)
			if err := c.station(ctx, kind, cuts, n); err != nil {
				return fmt.Errorf("%s, seed %d, behind %d cuts: %w", kind, c.seed, c.counts["cuts"], err)
			}
			fmt.Printf("power-cuts: %s: %s in %s\n", kind, c.told(), time.Since(began).Round(time.Second))
		}
	}
	return nil
}

// told are the counts, in words.
func (c *campaign) told() string {
	keys := []string{}
	for key := range c.counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	words := []string{}
	for _, key := range keys {
		words = append(words, fmt.Sprintf("%d %s", c.counts[key], key))
	}
	return strings.Join(words, ", ")
}

// rig is a station whose data folders lie on disks that are cut.
type rig struct {
	*campaign
	*station.Station
	server, dock *disk
	whole        time.Duration // what an offload takes without a cut
}

// station makes stores, cuts n times, and looks at the end whether all is there.
func (c *campaign) station(ctx context.Context, kind string, first, n int) (err error) {
	dir := filepath.Join(c.dir, fmt.Sprintf("%s-%d", kind, first))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	r := &rig{campaign: c}
	if r.server, err = newDisk(ctx, dir, "server-disk", kind); err != nil {
		return err
	}
	defer func() { err = c.ending(err, r.server) }()
	if r.dock, err = newDisk(ctx, dir, "dock-disk", kind); err != nil {
		return err
	}
	defer func() { err = c.ending(err, r.dock) }()
	options := station.Options{IngestDir: filepath.Join(r.server.at, "data"), AgentDir: filepath.Join(r.dock.at, "data")}
	if r.Station, err = station.New(ctx, dir, c.programs, options); err != nil {
		return err
	}
	defer func() {
		for _, p := range []*station.Process{r.Agent, r.Ingest, r.Simulator} {
			if p != nil && p.Running() {
				p.Kill()
			}
		}
	}()
	size := sizes[c.random.IntN(len(sizes))]
	if err := r.StartSimulator(ctx, "--unplugged", "--cameras", fmt.Sprint(n+1), "--files", fmt.Sprint(files), "--file-size", size, "--seed", fmt.Sprint(first+1)); err != nil {
		return err
	}
	if err := errors.Join(r.StartIngest(ctx), r.Enrol(ctx), r.StartAgent(ctx)); err != nil {
		return err
	}
	began := time.Now()
	if err := r.plug(ctx, 1); err != nil {
		return err
	}
	if err := r.drained(ctx); err != nil {
		return err
	}
	r.whole = time.Since(began)
	for round := range n {
		if err := r.round(ctx, round+2); err != nil {
			return fmt.Errorf("%s recordings, round %d: %w", size, round+1, err)
		}
	}
	return r.settled(ctx)
}

// ending lets a disk go, unless there is something on it to look at.
func (c *campaign) ending(err error, d *disk) error {
	if err != nil && c.keep {
		fmt.Printf("power-cuts: left mounted: %s\n", d.at)
		return err
	}
	return errors.Join(err, d.remove())
}

func (r *rig) plug(ctx context.Context, camera int) error {
	_, err := r.Control(ctx, "plug", fmt.Sprintf("1-%d", camera))
	return err
}

// drained waits until every docked camera is empty, which it is without hands.
func (r *rig) drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return station.Wait(ctx, func() (bool, string) {
		o, err := r.Oracle()
		if err != nil {
			return false, err.Error()
		}
		left := 0
		for _, camera := range o.Cameras {
			for _, recording := range camera.Recordings {
				if camera.Plugged && !recording.Deleted {
					left++
				}
			}
		}
		return left == 0, fmt.Sprintf("%d recordings are still on docked cameras", left)
	})
}

// round docks a camera, cuts the power at some moment of its offload, looks with
// everything down, and gives the power back.
func (r *rig) round(ctx context.Context, camera int) error {
	r.undock(ctx)
	if err := r.plug(ctx, camera); err != nil {
		return err
	}
	besides := r.besides(ctx)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(r.random.Int64N(int64(r.whole + r.whole/5)))):
	}
	server, dock := true, true
	switch r.random.IntN(3) {
	case 0:
		server = false
	case 1:
		dock = false
	}
	if err := r.cut(ctx, server, dock, besides); err != nil {
		return err
	}
	if err := r.sound(ctx); err != nil {
		return err
	}
	if server {
		if err := r.StartIngest(ctx); err != nil {
			return err
		}
	}
	if dock {
		return r.StartAgent(ctx)
	}
	return nil
}

// undock takes empty cameras out, as officers do.
func (r *rig) undock(ctx context.Context) {
	o, err := r.Oracle()
	if err != nil {
		return
	}
	for n, camera := range o.Cameras {
		if camera.Plugged && !slices.ContainsFunc(camera.Recordings, func(r station.Recording) bool { return !r.Deleted }) {
			r.Control(ctx, "unplug", fmt.Sprintf("1-%d", n+1))
		}
	}
}

// besides starts, sometimes, what else a server does.
func (r *rig) besides(ctx context.Context) *exec.Cmd {
	config := filepath.Join(r.Options.IngestDir, "ingest.toml")
	var args []string
	switch r.random.IntN(6) {
	case 0:
		args = []string{"backup", "--config", config, filepath.Join(r.server.at, "backups")}
	case 1:
		args = []string{"keys", "rotate", "--config", config}
	case 2:
		args = []string{"fsck", "--config", config}
	default:
		return nil
	}
	r.counts["beside "+map[string]string{"backup": "a backup", "keys": "a rotation of keys", "fsck": "fsck"}[args[0]]]++
	cmd := exec.CommandContext(ctx, r.Programs.Ingest, args...)
	if cmd.Start() != nil {
		return nil
	}
	return cmd
}

func (r *rig) cut(ctx context.Context, server, dock bool, besides *exec.Cmd) error {
	r.counts["cuts"]++
	if ok, _ := r.Drained(); !ok {
		r.counts["with recordings under way"]++
	}
	var errs []error
	if server {
		errs = append(errs, r.server.cut())
	}
	if dock {
		errs = append(errs, r.dock.cut())
	}
	if server {
		r.Ingest.Kill()
	}
	if dock {
		r.Agent.Kill()
	}
	if besides != nil {
		if server {
			besides.Process.Kill()
		}
		besides.Wait() // how it ended is what is looked at afterwards
	}
	if server {
		r.counts["of a server"]++
		errs = append(errs, r.server.back(ctx))
	}
	if dock {
		r.counts["of a dock"]++
		errs = append(errs, r.dock.back(ctx))
	}
	return errors.Join(errs...)
}

// sound looks at what is there at this instant.
func (r *rig) sound(ctx context.Context) error {
	broken, err := r.Violations(ctx)
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("promises are broken:\n%s", strings.Join(broken, "\n"))
	}
	if out, err := r.Fsck(ctx); err != nil {
		return fmt.Errorf("fsck: %w\n%s", err, out)
	}
	return nil
}

// settled looks whether everything came to its end without hands.
func (r *rig) settled(ctx context.Context) error {
	if err := r.drained(ctx); err != nil {
		return err
	}
	rows, err := r.Rows(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Receipt == nil || row.Item.State != "stored" || !row.Recording.Deleted {
			return fmt.Errorf("%s %s did not come to its end: %+v", row.Camera.Serial, row.Recording.Path, row.Item)
		}
	}
	r.counts["recordings stored and erased"] += len(rows)
	if err := r.sound(ctx); err != nil {
		return err
	}
	alerts, err := r.Operate(ctx, "alerts", "list", "--all", "--json")
	if err != nil {
		return err
	}
	for _, code := range falseAlarms {
		if strings.Contains(alerts, `"`+code+`"`) {
			return fmt.Errorf("a false alarm, %s:\n%s", code, alerts)
		}
	}
	return r.backups(ctx)
}

// backups verifies the newest backup that was made; one that a cut met is no backup.
func (r *rig) backups(ctx context.Context) error {
	all, err := filepath.Glob(filepath.Join(r.server.at, "backups", "2*"))
	if err != nil || len(all) == 0 {
		return err
	}
	for _, dir := range all {
		cmd := exec.CommandContext(ctx, r.Programs.Ingest, "verify-backup", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("backup %s: %w\n%s", dir, err, out)
		}
		r.counts["backups verified"]++
	}
	return nil
}
