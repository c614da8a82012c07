package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
)

// sound demands that fsck finds nothing, and returns how many recordings are stored.
func sound(t *testing.T, c Config) int {
	t.Helper()
	summary, err := Check(t.Context(), c, false, time.Now, func(f fsck.Finding) {
		if f.Severity == fsck.Problem {
			t.Errorf("fsck: %+v", f)
		}
	})
	if err != nil || summary.Problems != 0 {
		t.Errorf("fsck: %+v, %v", summary, err)
	}
	return int(summary.Stored)
}

func TestABackupIsMadeUnderLoadAndRestoredElsewhere(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	var all []*receivetest.Recording
	for i := range 24 {
		all = append(all, d.Record(t, fmt.Sprintf("DCIM/%d.MP4", i), footage(300<<10+i)))
	}
	r.store(d, all[0])
	disk := filepath.Join(t.TempDir(), "backups")
	var backups []*Backup
	var uploads sync.WaitGroup
	client := r.mustConnect(d)
	uploads.Go(func() {
		for _, rec := range all[1:20] {
			if _, err := client.Upload(r.ctx, rec); err != nil {
				t.Error(err)
			}
		}
	})
	tick := time.Now()
	for range 3 { // beside the uploads
		b, err := MakeBackup(r.ctx, r.config, disk, true, func() time.Time { tick = tick.Add(time.Second); return tick })
		if err != nil {
			t.Fatal(err)
		}
		backups = append(backups, b)
	}
	uploads.Wait()
	last, err := MakeBackup(r.ctx, r.config, disk, true, func() time.Time { tick = tick.Add(time.Second); return tick })
	if err != nil {
		t.Fatal(err)
	}
	if last.Copied.Linked == 0 {
		t.Error("the last backup shares nothing with the one before")
	}
	newest, err := os.ReadFile(filepath.Join(r.config.logDir(), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for _, b := range append(backups, last) {
		c, err := BackupConfig(b.Folder)
		if err != nil {
			t.Fatal(err)
		}
		n := sound(t, c)
		if n < stored {
			t.Errorf("a later backup has %d recordings, the one before %d", n, stored)
		}
		stored = n
		s, err := CompareLog(r.ctx, c, newest, time.Now)
		if err != nil || s.Entries != b.Entries {
			t.Errorf("%+v, %v", s, err)
		}
		if err := Run(r.ctx, c, "test", r.logger(), time.Now, nil); !errors.Is(err, errBackup) {
			t.Errorf("a server ran on a backup: %v", err)
		}
		if _, _, err := RestartLog(r.ctx, c, "no", 0, r.logger(), time.Now); !errors.Is(err, errBackup) {
			t.Errorf("the log of a backup was restarted: %v", err)
		}
	}
	if stored != 20 {
		t.Errorf("the last backup has %d recordings", stored)
	}
	// What came after it.
	for _, rec := range all[20:] {
		r.store(d, rec)
	}
	r.end()
	lost, err := os.ReadFile(filepath.Join(r.config.logDir(), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}

	place := filepath.Join(t.TempDir(), "new")
	made, err := Restore(r.ctx, last.Folder, place, "the server burnt", lost, nil, r.logger(), time.Now)
	if err != nil || made.Restart == nil || made.Log != "localhost/springfield/restored-1" || made.Restart.Size >= made.Restart.Newest {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := Restore(r.ctx, last.Folder, place, "again", nil, nil, r.logger(), time.Now); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over a server: %v", err)
	}
	config, err := LoadConfig(made.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	r.config = config
	r.start()
	w := r.mustConnect(d).Welcome
	d.answer.Trust = d.answer.Trust.Continued(w.GetRestored())
	d.seen = w.GetCheckpoint()
	for _, rec := range all {
		r.store(d, rec)
	}
	r.end()
	if n := sound(t, config); n != len(all) {
		t.Errorf("%d recordings in the end, want %d", n, len(all))
	}
}

func TestARestoreOfEverythingGoesOnAsItWas(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	rec := d.Record(t, "DCIM/A.MP4", footage(2<<20+1))
	first := r.store(d, rec)
	r.end()
	b, err := MakeBackup(r.ctx, r.config, filepath.Join(t.TempDir(), "backups"), true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	last, err := os.ReadFile(filepath.Join(r.config.logDir(), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	other := newServer(t)
	foreign, err := os.ReadFile(filepath.Join(other.config.logDir(), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(t.TempDir(), "new")
	if _, err := Restore(r.ctx, b.Folder, place, "moved", foreign, nil, r.logger(), time.Now); err == nil {
		t.Error("a checkpoint of another server was taken")
	}
	if _, err := Restore(r.ctx, r.config.DataDir, place, "moved", last, nil, r.logger(), time.Now); err == nil || !strings.Contains(err.Error(), "no backup") {
		t.Errorf("of a folder that is no backup: %v", err)
	}
	made, err := Restore(r.ctx, b.Folder, place, "moved", last, nil, r.logger(), time.Now)
	if err != nil || made.Restart != nil || made.Log != "localhost/springfield" {
		t.Fatalf("%+v, %v", made, err)
	}
	if r.config, err = LoadConfig(made.ConfigPath); err != nil {
		t.Fatal(err)
	}
	r.start()
	if again := r.store(d, rec); again.Proof.Index != first.Proof.Index || again.Proof.Origin != first.Proof.Origin {
		t.Errorf("another receipt: %+v", again.Proof)
	}
	r.end()
	if sound(t, r.config) != 1 {
		t.Error("the recording is not there")
	}
}
