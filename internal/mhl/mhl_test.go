package mhl

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func reference(t testing.TB) []File {
	t.Helper()
	var files []File
	entries, err := os.ReadDir("testdata/reference")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !Wanted(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join("testdata/reference", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{e.Name(), data})
	}
	if len(files) != 3 {
		t.Fatalf("%d reference files", len(files))
	}
	return files
}

func check(h []Hash, content string) []Result {
	c := NewCheck(h)
	for _, piece := range strings.SplitAfter(content, "m") { // in pieces, as a copy goes
		_, _ = c.Write([]byte(piece))
	}
	return c.Results()
}

// The reference implementation's lists: its C4 of each list, in the chain file,
// fits ours, and its XXH64 of the footage too.
func TestTheReferenceImplementationsListsAreRead(t *testing.T) {
	h := Combine(reference(t))
	const first = "0001_A002R2EC_2020-01-16_091500Z.mhl"
	for path, content := range map[string]string{"Clips/A002C006_141024_R2EC.mov": "abcd\n", "Clips/A002C007_141024_R2EC.mov": "def\n"} {
		results := check(h.Hashes[path], content)
		if len(results) != 1 || results[0].Outcome != Verified || results[0].Algorithm != XXH64 || results[0].Origin != first {
			t.Errorf("%s: %+v", path, results)
		}
		if results = check(h.Hashes[path], content+" "); results[0].Outcome != Differs {
			t.Errorf("%s with other bytes: %+v", path, results)
		}
	}
	// The second generation found the sidecar changed: the first one's hash stands.
	const changed = "BLOREM ipsum dolor sit amet, consetetur sadipscing elitr.\n!!"
	if results := check(h.Hashes["Sidecar.txt"], changed); results[0].Outcome != Differs || results[0].Found != "70d2cf31aaa3eac4" {
		t.Errorf("%+v", results)
	}
	if len(h.Notes) != 1 || !strings.Contains(h.Notes[0], "failed a check") {
		t.Errorf("notes: %q", h.Notes)
	}
}

func TestAListThatWasChangedAfterwardsSaysSo(t *testing.T) {
	files := reference(t)
	for i := range files {
		files[i].Data = bytes.ReplaceAll(files[i].Data, []byte("0ea03b369a463d9d"), []byte("0ea03b369a463d9e"))
	}
	h := Combine(files)
	if got := h.Hashes["Clips/A002C006_141024_R2EC.mov"]; len(got) != 1 || !strings.Contains(got[0].Origin, "changed after it was made") {
		t.Errorf("%+v", got)
	}
	h = Combine(files[2:]) // the chain file alone
	if len(h.Notes) != 2 || !strings.Contains(h.Notes[0], "missing") {
		t.Errorf("notes: %q", h.Notes)
	}
}

// Values by other programs: md5sum, sha1sum, and Python's sha512 in base 58.
func TestHashesHaveTheKnownAnswers(t *testing.T) {
	const abcd = "abcd\n"
	for _, c := range []struct{ algorithm, content, want string }{
		{C4, "", "c459dsjfscH38cYeXXYogktxf4Cd9ibshE3BHUo6a58hBXmRQdZrAkZzsWcbWtDg5oQstpDuni4Hirj75GEmTc1sFT"},
		{MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
		{SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{XXH64, "", "ef46db3751d8e999"},
		{MD5, abcd, "f5ac8127b3b6b85cdc13f237c6005d80"},
		{SHA1, abcd, "3330b4373640f9e4604991e73c7e86bfd8da2dc3"},
		{C4, abcd, "c43LpzjA4DGCZ4Y3HbXsL7TLfaCY7wTCC27X7KAirGFcKTg7f4B8aKx7qiLitCaf9wgpLJL6QQjfdKH4dMrk2z5SRG"},
	} {
		if results := check([]Hash{{Algorithm: c.algorithm, Value: c.want}}, c.content); results[0].Outcome != Verified {
			t.Errorf("%s of %q: %+v", c.algorithm, c.content, results[0])
		}
	}
}

// A stripe has 32 bytes: lengths around it, written whole and byte by byte.
func TestXXH64DoesNotDependOnHowItIsFed(t *testing.T) {
	data := make([]byte, 300)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for n := range data {
		whole, single := newXXH64(), newXXH64()
		_, _ = whole.Write(data[:n])
		for i := range n {
			_, _ = single.Write(data[i : i+1])
		}
		if a, b := whole.Sum(nil), single.Sum(nil); !bytes.Equal(a, b) {
			t.Fatalf("%d bytes: %x and %x", n, a, b)
		}
	}
}

func TestWhatIsNotComputedIsCarriedOnAndSaysSo(t *testing.T) {
	list := wrap(`<hash><path>a.mp4</path><xxh128 action="original">AB00000000000000000000000000000C</xxh128><xxh3>0123456789abcdef</xxh3></hash>`)
	got := check(Combine([]File{{"0001_x.mhl", list}}).Hashes["a.mp4"], "a")
	if len(got) != 2 || got[0].Outcome != NotChecked || got[0].Value != "ab00000000000000000000000000000c" || got[1].Outcome != NotChecked {
		t.Errorf("%+v", got)
	}
}

func wrap(hashes string) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><hashlist version="2.0" xmlns="urn:ASC:MHL:v2.0"><hashes>%s</hashes></hashlist>`, hashes)
}

func TestARenamedFileKeepsItsHash(t *testing.T) {
	h := Combine([]File{
		{"0002_b.mhl", wrap(`<hash><path>new.mp4</path><md5>00000000000000000000000000000000</md5><previousPath>old.mp4</previousPath></hash>`)},
		{"0001_a.mhl", wrap(`<hash><path>old.mp4</path><xxh3>0000000000000001</xxh3><md5>00000000000000000000000000000000</md5></hash>`)},
	})
	if got := h.Hashes["new.mp4"]; len(got) != 2 || got[0].Algorithm != XXH3 || len(h.Notes) != 0 {
		t.Errorf("%+v, notes %q", got, h.Notes)
	}
}

func TestHostileListsGiveNotesAndNoHashes(t *testing.T) {
	deep := strings.Repeat("<a>", 5000)
	for name, c := range map[string]struct {
		data []byte
		note string
	}{
		"entities":         {[]byte(`<!DOCTYPE a [<!ENTITY b "cccccccc">]><hashlist xmlns="urn:ASC:MHL:v2.0"/>`), "document type"},
		"entity":           {wrap(`<hash><path>&evil;</path></hash>`), "entity"},
		"nesting":          {wrap(deep), "nested deeper"},
		"cut":              {wrap(`<hash><path>a`)[:110], "not used"},
		"other charset":    {[]byte(`<?xml version="1.0" encoding="UTF-7"?><hashlist xmlns="urn:ASC:MHL:v2.0"/>`), "character set"},
		"other version":    {[]byte(`<hashlist xmlns="urn:ASC:MHL:v1.0"/>`), "no hashlist of version 2"},
		"long path":        {wrap(`<hash><path>` + strings.Repeat("a", 5000) + `</path></hash>`), "longer than"},
		"leaves the card":  {wrap(`<hash><path>../../etc/shadow</path><xxh3>0000000000000001</xxh3></hash>`), "malformed"},
		"absolute":         {wrap(`<hash><path>/etc/shadow</path><xxh3>0000000000000001</xxh3></hash>`), "malformed"},
		"no path":          {wrap(`<hash><xxh3>0000000000000001</xxh3></hash>`), "malformed"},
		"no hash":          {wrap(`<hash><path>a</path><md5>zz</md5></hash>`), "malformed"},
		"foreign c4":       {wrap(`<hash><path>a</path><c4>c4` + strings.Repeat("0", 88) + `</c4></hash>`), "malformed"},
		"empty":            {nil, "no hashlist"},
		"no XML":           {[]byte("\x00\x01"), "not used"},
		"an unclosed list": {[]byte(`<hashlist xmlns="urn:ASC:MHL:v2.0"><hashes>`), "not used"},
	} {
		h := Combine([]File{{"0001_x.mhl", c.data}})
		for path, hashes := range h.Hashes {
			if len(hashes) > 0 {
				t.Errorf("%s: %s has %+v", name, path, hashes)
			}
		}
		if len(h.Notes) != 1 || !strings.Contains(h.Notes[0], c.note) {
			t.Errorf("%s: notes %q, want one with %q", name, h.Notes, c.note)
		}
	}
	if _, _, err := parseList(make([]byte, MaxFile+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
	if _, err := parseChain([]byte(`<ascmhldirectory xmlns="urn:ASC:MHL:DIRECTORY:v2.0"><hashlist sequencenr="x"/></ascmhldirectory>`)); !errors.Is(err, ErrMalformed) {
		t.Errorf("chain: %v", err)
	}
}

func FuzzCombine(f *testing.F) {
	for _, file := range reference(f) {
		f.Add(file.Data, file.Name == chainFile)
	}
	f.Add(wrap(`<hash><path>a</path><md5 action="failed">00000000000000000000000000000000</md5></hash>`), false)
	f.Fuzz(func(t *testing.T, data []byte, chain bool) {
		files := []File{{"0001_x.mhl", data}}
		if chain {
			files = append(files, File{chainFile, data})
		}
		h := Combine(files)
		if len(h.Notes) > maxNotes {
			t.Fatalf("%d notes", len(h.Notes))
		}
		for path, hashes := range h.Hashes {
			if !onCard(path) {
				t.Errorf("path %q", path)
			}
			for _, hash := range hashes {
				if hash.Value == "" || hash.Value != normal(hash.Algorithm, hash.Value) {
					t.Errorf("%q has %+v", path, hash)
				}
			}
			NewCheck(hashes).Results()
		}
	})
}

func TestAListThatIsWrittenIsRead(t *testing.T) {
	content := "what was recorded"
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	name, list, chain := Write("original", Origin{At: at, Host: "a<b>.example", Tool: "sealdock-ingest", Version: `"1" & 2`},
		[]Listed{{Path: "CLIP1.MP4", Size: uint64(len(content)), C4: C4Text(sha512.Sum512([]byte(content)))}})
	if name != "0001_original_2026-11-22_093000Z.mhl" {
		t.Errorf("it is called %s", name)
	}
	h := Combine([]File{{Name: name, Data: list}, {Name: "ascmhl_chain.xml", Data: chain}})
	if len(h.Notes) > 0 {
		t.Errorf("notes: %v", h.Notes)
	}
	results := check(h.Hashes["CLIP1.MP4"], content)
	if len(results) != 1 || results[0].Outcome != Verified {
		t.Errorf("%+v", results)
	}
	list = bytes.Replace(list, []byte("transfer"), []byte("in-place"), 1)
	if other := Combine([]File{{Name: name, Data: list}, {Name: "ascmhl_chain.xml", Data: chain}}); other.Hashes["CLIP1.MP4"][0].Origin == h.Hashes["CLIP1.MP4"][0].Origin {
		t.Error("a list that is not the one of the chain does not say so")
	}
}
