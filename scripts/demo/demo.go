package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

type demo struct {
	once                    bool
	bin, dir                string
	cameras, clips, sizeMiB int
}

func (d *demo) run(ctx context.Context) error {
	bin, err := filepath.Abs(d.bin)
	if err != nil {
		return err
	}
	programs, err := station.In(bin)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := station.New(ctx, dir, programs, station.Options{})
	if err != nil {
		return err
	}
	defer func() {
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(grace); err != nil {
			fmt.Fprintln(os.Stderr, "demo: stopping:", err)
		}
	}()
	fmt.Printf("Making footage for %d cameras with %d recordings each (kept for next time) …\n", d.cameras, d.clips)
	if err := s.StartSimulator(ctx, "--plain", "1", "--cameras", strconv.Itoa(d.cameras), "--recordings", strconv.Itoa(d.clips), "--size-mib", strconv.Itoa(d.sizeMiB)); err != nil {
		return err
	}
	fmt.Println("Starting the ingest server, enrolling the dock, starting the agent …")
	if err := s.StartIngest(ctx); err != nil {
		return err
	}
	if err := s.Enrol(ctx); err != nil {
		return err
	}
	if err := s.StartAgent(ctx); err != nil {
		return err
	}
	if err := d.welcome(ctx, s); err != nil {
		return err
	}
	if d.once {
		return d.compare(ctx, s)
	}
	return d.show(ctx, s)
}

// welcome does what an operator does with new cameras: approve the keys that they
// have proven, and say whose they are. The first camera is of a kind without a key.
func (d *demo) welcome(ctx context.Context, s *station.Station) error {
	oracle, err := s.Oracle()
	if err != nil {
		return err
	}
	fmt.Println("Waiting for the cameras to show their keys, and approving them …")
	officers := []string{"Ines Okafor", "Tom Berg", "Ana Ruiz", "Lee Park"}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for i, c := range oracle.Cameras {
		if err := station.Wait(wait, func() (bool, string) {
			list, err := s.Operate(ctx, "cameras", "list")
			return err == nil && strings.Contains(list, c.Serial), "camera " + c.Serial + " is not known at the server"
		}); err != nil {
			return fmt.Errorf("%w; the agent's last words:\n%s", err, s.Agent.Tail(20))
		}
		if i > 0 {
			if _, err := s.Operate(ctx, "cameras", "approve", c.Serial, "--reason", "delivered for the demo"); err != nil {
				return err
			}
		}
		if _, err := s.Operate(ctx, "cameras", "assign", c.Serial, "--officer", officers[i%len(officers)], "--officer-id", strconv.Itoa(4711+i)); err != nil {
			return err
		}
	}
	return nil
}

// show keeps the station running for somebody to look at.
func (d *demo) show(ctx context.Context, s *station.Station) error {
	fmt.Printf(`
Footage is arriving. The logs are in %[1]s.

  Dashboard:           %[2]s
  First sign-in:       %[3]s
  (the certificate is the demo's own: the browser will warn; after the password
  the new administrator sets up a second factor: take the authenticator app,
  since browsers allow no passkeys where they warn)

  The bays' page:      http://127.0.0.1:7081
  Watch the dock:      %[4]s status --watch --data %[5]s
  Record a new clip:   %[6]s ctl record --control %[7]s 1-1

Ctrl-C ends it.
`, s.Dir, s.Web, s.SetupLink, s.Programs.Agent, s.AgentDir(), s.Programs.Simulator, filepath.Join(s.Dir, "sim.sock"))
	select {
	case <-ctx.Done():
		return nil
	case <-s.Ingest.Ended():
		return fmt.Errorf("the server ended:\n%s", s.Ingest.Tail(20))
	case <-s.Agent.Ended():
		return fmt.Errorf("the agent ended:\n%s", s.Agent.Tail(20))
	}
}

// compare waits until the cameras are empty and prints a row per recording.
func (d *demo) compare(ctx context.Context, s *station.Station) error {
	began := time.Now()
	wait, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := station.Wait(wait, s.Drained); err != nil {
		return fmt.Errorf("%w; the agent's last words:\n%s", err, s.Agent.Tail(20))
	}
	took := time.Since(began)
	rows, err := s.Rows(ctx)
	if err != nil {
		return err
	}
	good, total, err := table(rows)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d of %d recordings agree everywhere; %.2f GB in %.1f s.\n", good, len(rows), float64(total)/1e9, took.Seconds())
	broken, err := s.Violations(ctx)
	if err != nil {
		return err
	}
	for _, b := range broken {
		fmt.Println("BROKEN PROMISE:", b)
	}
	if err := s.Stop(ctx); err != nil {
		return err
	}
	report, err := s.Fsck(ctx)
	fmt.Printf("\nsealdock-ingest fsck:\n%s", report)
	if err != nil {
		return err
	}
	if good != len(rows) || len(rows) == 0 || len(broken) > 0 {
		return fmt.Errorf("%d of %d recordings agree, %d promises broken", good, len(rows), len(broken))
	}
	return nil
}

// table prints a line per recording. A hash that equals the camera's is marked with "=".
func table(rows []station.Row) (good int, total int64, err error) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCAMERA\tRECORDING\tSIZE\tSHA-256 AT CAMERA\tDOCK\tARRIVAL (MERKLE)\tREST (SHA-256)\tRECEIPT\tERASED")
	for _, r := range rows {
		dock, arrival, rest, receipt, erased := "-", "-", "-", "-", "no"
		ok := true
		same := func(equal bool, cell *string) {
			*cell = "differs"
			if equal {
				*cell = "="
			}
			ok = ok && equal
		}
		if r.Manifest != nil {
			same(r.Manifest.SHA256 == r.Recording.SHA256, &dock)
		}
		if r.Receipt != nil {
			root, err := r.Recording.MerkleRoot()
			if err != nil {
				return 0, 0, err
			}
			same(r.Receipt.MerkleRoot == root, &arrival)
			same(r.Receipt.SHA256 == r.Recording.SHA256, &rest)
			receipt = fmt.Sprintf("log %d, verified", r.Receipt.Proof.Index)
		}
		if r.Problem != nil {
			receipt = r.Problem.Error()
		}
		if r.Recording.Deleted {
			erased = "yes"
		}
		if ok && r.Receipt != nil && r.Recording.Deleted {
			good++
		}
		total += r.Recording.Size
		fmt.Fprintf(w, "%.8s\t%s\t%d\t%.16s\t%s\t%s\t%s\t%s\t%s\n", r.Camera.Serial, r.Recording.Path, r.Recording.Size, r.Recording.SHA256, dock, arrival, rest, receipt, erased)
	}
	return good, total, w.Flush()
}
