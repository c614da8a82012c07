package offload

import (
	"crypto/fips140"
	"crypto/md5"
	"encoding/hex"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

// cardLink is a session with a mass-storage camera whose card has hash lists.
type cardLink struct {
	fakeLink
	hashes map[string][]camera.SourceHash
}

func (l cardLink) Access() evidence.Access { return evidence.AccessStorage }

func (l cardLink) Expected(o camera.Object) []camera.SourceHash { return l.hashes[o.Path] }

func TestHashesThatCameWithFootageAreCheckedAndTakenOver(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	good, bad := noise(1, 2*mib+5), noise(2, 1000)
	c.record("GOOD.MP4", evidence.KindVideo, good)
	c.record("BAD.MP4", evidence.KindVideo, bad)
	c.record("NONE.MP4", evidence.KindVideo, noise(3, 1000))
	var sum [md5.Size]byte
	fips140.WithoutEnforcement(func() { sum = md5.Sum(good) })
	is := func(algorithm, value string) camera.SourceHash {
		return camera.SourceHash{Algorithm: algorithm, Value: value, Origin: "ascmhl/0001.mhl"}
	}
	d.serve(cardLink{fakeLink{c}, map[string][]camera.SourceHash{
		"GOOD.MP4": {is("md5", hex.EncodeToString(sum[:])), is("xxh128", "00112233445566778899aabbccddeeff")},
		"BAD.MP4":  {is("md5", hex.EncodeToString(sum[:]))},
	}}, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == 3 })
	for _, r := range d.rows() {
		plain, m := d.open(r)
		var results []evidence.HashResult
		for _, h := range m.Recording.Hashes {
			results = append(results, h.Result)
		}
		want := map[string][]evidence.HashResult{"GOOD.MP4": {evidence.HashVerified, evidence.HashUnchecked}, "BAD.MP4": {evidence.HashDiffers}, "NONE.MP4": nil}[r.Source.Path]
		if len(results) != len(want) || len(want) > 0 && results[0] != want[0] || len(plain) == 0 || m.Camera.Access != evidence.AccessStorage {
			t.Errorf("%s: %v, want %v", r.Source.Path, results, want)
		}
	}
	d.until("the server is told", d.found(evidence.FoundHashDiffers))
	d.receive()
	d.until("erased", func() bool { return d.in(spool.StateErased) == 3 })
	var release evidence.Release
	if err := evidence.Decode(d.statements(spool.KindRelease, evidence.TypeRelease)[0], &release); err != nil || release.Method != "unlink" {
		t.Errorf("%+v, %v", release, err)
	}
}
