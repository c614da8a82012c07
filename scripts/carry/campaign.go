package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

type campaign struct {
	bin, dir string
	gib      float64
	cuts     int
	seed     uint64

	*station.Station
	random *rand.Rand
	drive  string
}

const (
	cameras = 4
	files   = 2 // on each camera: from 8 GiB on they are longer than one file on the drive
)

func (c *campaign) run(ctx context.Context) (err error) {
	for _, path := range []*string{&c.bin, &c.dir} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	c.random = rand.New(rand.NewPCG(c.seed, 1))
	c.drive = filepath.Join(c.dir, "drive")
	if err := errors.Join(os.RemoveAll(c.dir), os.MkdirAll(c.drive, 0o700)); err != nil {
		return err
	}
	programs, err := station.In(c.bin)
	if err != nil {
		return err
	}
	if c.Station, err = station.New(ctx, c.dir, programs, station.Options{}); err != nil {
		return err
	}
	defer func() {
		grace, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = errors.Join(err, c.Stop(grace))
		if err == nil {
			err = os.RemoveAll(c.dir)
		}
	}()
	for _, step := range []func(context.Context) error{c.offline, c.out, c.in, c.compare, c.back} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// spoolStatus is what of the agent's status is looked at.
type spoolStatus struct {
	Spool struct {
		Bytes      uint64            `json:"bytes"`
		Waiting    uint64            `json:"waiting"`
		Recordings map[string]uint64 `json:"recordings"`
	} `json:"spool"`
}

func (c *campaign) spool(ctx context.Context) (s spoolStatus, err error) {
	text, err := c.Status(ctx)
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

// offline lets the dock copy everything while there is no server.
func (c *campaign) offline(ctx context.Context) error {
	began := time.Now()
	size := int64(c.gib * (1 << 30) / cameras / files)
	err := c.StartSimulator(ctx, "--no-extension", "--cameras", strconv.Itoa(cameras), "--recordings", "0", "--files", strconv.Itoa(files), "--file-size", strconv.FormatInt(size, 10))
	if err == nil {
		err = c.StartIngest(ctx)
	}
	if err == nil {
		err = c.Enrol(ctx)
	}
	if err == nil {
		err = c.Ingest.Stop(ctx)
	}
	if err == nil {
		err = c.StartAgent(ctx)
	}
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 60*time.Minute)
	defer cancel()
	err = station.Wait(wait, func() (bool, string) {
		s, err := c.spool(ctx)
		return err == nil && s.Spool.Waiting == cameras*files, fmt.Sprintf("%d of %d recordings are copied (%v)", s.Spool.Waiting, cameras*files, err)
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d recordings of %d bytes are in the spool of a dock without a server, after %v.\n", cameras*files, size, time.Since(began).Round(time.Second))
	return nil
}

// cutOff runs a command until it succeeds. Up to cuts times it is cut off first:
// each way in turn, after a random time of at most most.
func (c *campaign) cutOff(ctx context.Context, what string, most time.Duration, ways []func(*exec.Cmd) error, program string, args ...string) error {
	began := time.Now()
	for cut := 0; ; {
		var said bytes.Buffer
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var pull <-chan time.Time
		if cut < c.cuts {
			pull = time.After(time.Duration(c.random.Int64N(int64(most))))
		}
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("%s, after %d cuts, not cut off: %w\n%s", what, cut, err, said.String())
			}
			fmt.Printf("%s: whole after %d cuts and %v. It said:\n%s", what, cut, time.Since(began).Round(time.Second), tail(said.String(), 4))
			return nil
		case <-pull:
			if err := ways[cut%len(ways)](cmd); err != nil {
				return err
			}
			<-ended // whether it failed or had just come to its end: it is run again
			cut++
			if err := c.mend(ctx); err != nil {
				return err
			}
		}
	}
}

func tail(text string, lines int) string {
	all := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "  ") + "\n"
}

func killed(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// pulled takes the drive's folder away under the program.
func (c *campaign) pulled(*exec.Cmd) error { return os.Rename(c.drive, c.drive+".pulled") }

// mend plugs the drive in again, and starts the server again, as far as they
// are gone.
func (c *campaign) mend(ctx context.Context) error {
	if _, err := os.Stat(c.drive + ".pulled"); err == nil {
		if err := errors.Join(os.RemoveAll(c.drive), os.Rename(c.drive+".pulled", c.drive)); err != nil {
			return err
		}
	}
	if c.Ingest != nil && !c.Ingest.Running() && c.Agent != nil && !c.Agent.Running() {
		return c.StartIngest(ctx)
	}
	return nil
}

// out exports while the agent runs.
func (c *campaign) out(ctx context.Context) error {
	most := time.Duration(c.gib * float64(2*time.Second))
	return c.cutOff(ctx, "export", max(most, 200*time.Millisecond), []func(*exec.Cmd) error{killed, c.pulled}, c.Programs.Agent, "export-spool", c.drive, "--data", c.AgentDir())
}

// in imports beside a running server, with the dock away.
func (c *campaign) in(ctx context.Context) error {
	if err := errors.Join(c.Agent.Stop(ctx), c.StartIngest(ctx)); err != nil {
		return err
	}
	serverKilled := func(*exec.Cmd) error { c.Ingest.Kill(); return nil }
	most := time.Duration(c.gib * float64(2*time.Second))
	config := filepath.Join(c.Options.IngestDir, "ingest.toml")
	return c.cutOff(ctx, "import", max(most, 200*time.Millisecond), []func(*exec.Cmd) error{killed, serverKilled, c.pulled}, c.Programs.Ingest, "import-spool", c.drive, "--config", config)
}

// compare holds what the server has against what the cameras had.
func (c *campaign) compare(ctx context.Context) error {
	rows, err := c.Rows(ctx)
	if err != nil {
		return err
	}
	items, err := c.Items(ctx)
	if err != nil {
		return err
	}
	good := 0
	for _, r := range rows {
		ok := r.Item != nil && r.Receipt != nil && r.Problem == nil && r.Receipt.SHA256 == r.Recording.SHA256 && r.Item.State == "stored"
		if ok {
			good++
		}
		fmt.Printf("  %-12s %-28s %12d bytes  %s  %v\n", r.Camera.Serial, r.Recording.Path, r.Recording.Size, r.Recording.SHA256, map[bool]string{true: "stored, receipt holds", false: "WRONG"}[ok])
	}
	if good != len(rows) || len(items) != len(rows) || len(rows) != cameras*files {
		return fmt.Errorf("%d of %d recordings are right at the server, which holds %d items", good, len(rows), len(items))
	}
	if _, err := c.Fsck(ctx); err != nil {
		return err
	}
	fmt.Printf("%d recordings, %d items, each once, hashes as on the cameras; fsck finds no problem.\n", len(rows), len(items))
	return nil
}

// back brings the receipts to the dock, still without a server, and then lets
// the dock meet the server, which lets cameras erase.
func (c *campaign) back(ctx context.Context) error {
	if err := errors.Join(c.Ingest.Stop(ctx), c.StartAgent(ctx)); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, c.Programs.Agent, "import-receipts", c.drive, "--data", c.AgentDir()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("import-receipts: %w\n%s", err, out)
	}
	fmt.Printf("receipts: it said:\n%s", tail(string(out), 3))
	s, err := c.spool(ctx)
	if err != nil {
		return err
	}
	if s.Spool.Waiting != 0 || s.Spool.Bytes != 0 || s.Spool.Recordings["received"] != cameras*files {
		return fmt.Errorf("after the receipts the spool has %+v", s.Spool)
	}
	if err := c.StartIngest(ctx); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	if err := station.Wait(wait, c.Drained); err != nil {
		return err
	}
	broken, err := c.Violations(ctx)
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("promises were broken:\n%s", strings.Join(broken, "\n"))
	}
	fmt.Println("The spool is empty, the cameras have erased everything, every promise of the oracle holds.")
	return nil
}
