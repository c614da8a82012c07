package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
)

// TestSweepHeal kills heal at each step of putting a damaged and a missing recording
// back. The next heal ends it, and nothing is lost on the way.
func TestSweepHeal(t *testing.T) {
	s := newSweep(t)
	mirror := filepath.Join(t.TempDir(), "mirror")
	s.must(os.MkdirAll(mirror, 0o700))
	c := s.config
	c.MirrorDir = mirror
	s.must(BeginMirror(s.ctx, c, time.Now))
	s.must(os.RemoveAll(filepath.Join(mirror, "blobs")))
	if out, err := exec.Command("cp", "-a", filepath.Join(s.config.vaultDir(), "blobs"), mirror).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	page, err := s.catalog().Items(s.ctx, catalog.ItemFilter{Agency: "springfield"}, catalog.NewestArrival, "", 10)
	s.must(err)
	var ids, paths []string
	for _, item := range page.Items[:2] {
		ids = append(ids, item.ID.String())
		paths = append(paths, blobs.Path(s.config.vaultDir(), vault.Committed, vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt}))
	}
	whole, err := os.ReadFile(paths[0])
	s.must(err)
	whole[len(whole)-1] ^= 1
	s.must(os.WriteFile(paths[0], whole, 0o600))
	s.must(os.Remove(paths[1]))
	s.args = func(data, _ string) []string {
		return append([]string{"heal", "--config", filepath.Join(data, ConfigName), "--from", mirror}, ids...)
	}
	s.check = func(data, _ string) {
		s.command(s.args(data, "")...)
		s.three(s.load(data))
	}
	s.run()
}
