package server

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/drill"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// held are the passphrases of the two people for the escrow.
var held = map[string]string{"a.moreno": "ferry lantern wheat orbit", "b.lee": "six other words drawn by chance"}

func holder(name string) ([]byte, error) {
	if text, ok := held[name]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("asked for %q", name)
}

// storing is a server that has stored recordings, ended.
func storing(t *testing.T) (*running, *enrolled) {
	t.Helper()
	r := newServer(t)
	r.employ()
	r.start()
	d := r.enrol("front-desk")
	c := r.mustConnect(d)
	for i, length := range []int{0, 1, 3<<20 + 7} {
		if _, err := c.Upload(r.ctx, d.Record(t, fmt.Sprintf("%d.MP4", i), footage(length))); err != nil {
			t.Fatal(err)
		}
	}
	return r, d
}

func (r *running) escrow() (path string, file []byte) {
	r.t.Helper()
	path = filepath.Join(r.t.TempDir(), "escrow")
	if _, err := MakeEscrow(r.ctx, r.config, path, alba, ben, holder, time.Now); err != nil {
		r.t.Fatal(err)
	}
	file, err := ReadEscrow(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return path, file
}

// drilled runs a drill and returns what it said.
func (r *running) drilled(file []byte, sample int, ask AskHolder) (drill.Report, string, error) {
	var steps strings.Builder
	report, err := DrillKeys(r.ctx, r.config, file, sample, ask, time.Now, func(s drill.Step) { fmt.Fprintf(&steps, "%s: %v\n", s.What, s.Err) })
	return report, steps.String(), err
}

// TestLostKeysComeBackFromAnEscrow: keys and authority are gone, the escrow is
// tried without writing anything, then restored; the server is the one that it
// was, to docks, to people, and to everything stored.
func TestLostKeysComeBackFromAnEscrow(t *testing.T) {
	r, d := storing(t)
	path, file := r.escrow() // while it runs
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the escrow's mode: %v, %v", info, err)
	}
	if _, err := MakeEscrow(r.ctx, r.config, path, alba, ben, holder, time.Now); err == nil {
		t.Error("an escrow was written over another file")
	}
	if _, err := RestoreKeys(r.ctx, r.config, file, holder, time.Now); err == nil || !strings.Contains(err.Error(), "empty folder only") {
		t.Errorf("restored over keys that are there: %v", err)
	}
	r.end()
	for _, dir := range []string{r.config.keyDir(), r.config.authorityDir()} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	before := r.tree()
	report, steps, err := r.drilled(file, 10, holder)
	if err != nil || report.Stored != 3 || report.Drawn != 3 || report.Opened != 3 || report.Segments < 4 || report.Holders != [2]string{"a.moreno", "b.lee"} || report.Pairs != 1 {
		t.Errorf("%+v, %v\n%s", report, err, steps)
	}
	if after := r.tree(); after != before {
		t.Errorf("the drill wrote files:\n%s\nbefore:\n%s", after, before)
	}

	// What a restore that was killed had written aside is no key folder.
	aside := r.config.keyDir() + ".restoring"
	if err := os.MkdirAll(aside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(aside, "root.key"), make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	states, err := RestoreKeys(r.ctx, r.config, file, holder, time.Now)
	if err != nil || len(states) != 1 || states[0].Gone || states[0].Wrapped != 3 {
		t.Fatalf("%+v, %v", states, err)
	}
	r.start()
	rec := d.Record(t, "D.MP4", footage(1<<20))
	answer, err := r.mustConnect(d).Upload(r.ctx, rec) // the dock knows it again
	if err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, d, rec, answer)
	r.end()
	r.clean(4)
	err = r.config.withAccounts(r.ctx, time.Now, func(people *auth.Service) error {
		_, err := signInOnce(r.ctx, people, alba, auth.Origin{Address: "local"})
		return err
	})
	if err != nil {
		t.Errorf("passwords do not fit any more: %v", err)
	}
	for kind, want := range map[evidence.EventType]int{evidence.EventEscrowMade: 1, evidence.EventKeyDrill: 1, evidence.EventKeysRestored: 1} {
		if got := r.events(kind); len(got) != want {
			t.Errorf("%d events %s, want %d", len(got), kind, want)
		}
	}
	if e := r.events(evidence.EventEscrowMade)[0]; !bytes.Contains(e.JSON, []byte("A.MORENO")) || !bytes.Contains(e.JSON, []byte("B.LEE")) || !bytes.Contains(e.JSON, []byte(evidence.SHA256(file).String())) {
		t.Errorf("the event names not both people and the file: %s", e.JSON)
	}
}

// tree lists all files of the data folder but the catalog's.
func (r *running) tree() string {
	r.t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(r.config.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !strings.HasPrefix(d.Name(), "catalog.db") {
			info, err := d.Info()
			if err != nil {
				return err
			}
			fmt.Fprintln(&all, path, info.Size(), info.Mode())
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all.String()
}

func TestADrillTellsWhatWouldBeLost(t *testing.T) {
	r, _ := storing(t)
	_, file := r.escrow()
	if _, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil); err != nil {
		t.Fatal(err)
	}
	r.end()
	if report, steps, err := r.drilled(file, 3, holder); err == nil || len(report.Missing) != 1 || !strings.Contains(err.Error(), "Make a new one") {
		t.Errorf("an escrow from before a rotation: %+v, %v\n%s", report, err, steps)
	}
	wrong := func(name string) ([]byte, error) { return []byte("not the passphrase of anybody"), nil }
	if _, _, err := r.drilled(file, 3, wrong); !errors.Is(err, keys.ErrPassphrase) || !strings.Contains(err.Error(), "a.moreno") {
		t.Errorf("a wrong passphrase: %v", err)
	}
	_, file = r.escrow()
	// A blob that has changed is found by the drill too, and the others are tried.
	damaged := 0
	for _, path := range r.blobs() {
		b, err := os.ReadFile(path)
		if err != nil || len(b) < 3<<20 {
			continue
		}
		b[seal.HeaderSize+100] ^= 1
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		damaged++
		break
	}
	if damaged != 1 {
		t.Fatal("no blob was found to be damaged")
	}
	if report, steps, err := r.drilled(file, 3, holder); !errors.Is(err, seal.ErrOpen) || report.Opened != 2 || report.Drawn != 3 || report.Pairs != 2 {
		t.Errorf("%+v, %v\n%s", report, err, steps)
	}
	if got := r.events(evidence.EventKeyDrill); len(got) != 3+3 { // the failures too
		t.Errorf("%d events of drills, want 6", len(got))
	}
}

// blobs are all files of the vault.
func (r *running) blobs() (paths []string) {
	r.t.Helper()
	err := filepath.WalkDir(r.config.vaultDir(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return paths
}

func TestAnEscrowTakesTwoAdministrators(t *testing.T) {
	r := newServer(t)
	r.employ()
	path := filepath.Join(t.TempDir(), "escrow")
	for words, people := range map[string][2]Credentials{
		"takes two": {alba, alba}, "role": {alba, oona}, "signing in b.lee": {alba, {Login: "b.lee", Password: "another password than his"}}, "signing in nobody": {{Login: "nobody", Password: alba.Password}, ben},
	} {
		if _, err := MakeEscrow(r.ctx, r.config, path, people[0], people[1], holder, time.Now); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: want words like %q", err, words)
		}
	}
	same := func(string) ([]byte, error) { return []byte(phrase), nil }
	if _, err := MakeEscrow(r.ctx, r.config, path, alba, ben, same, time.Now); err == nil {
		t.Error("an escrow under one passphrase was made")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
	if got := r.events(evidence.EventEscrowMade); len(got) != 0 {
		t.Errorf("%d escrows are on record, none was made", len(got))
	}
}
