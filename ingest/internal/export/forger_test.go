package export_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

// opened is a package taken apart by a forger.
type opened struct {
	*world
	names []string
	files map[string][]byte
	index pack.Index
}

func (w *world) takeApart(b []byte) *opened {
	a, err := pack.Open(bytes.NewReader(b), int64(len(b)))
	w.must(err)
	o := &opened{world: w, files: map[string][]byte{}}
	for i := range a.Entries {
		e := &a.Entries[i]
		o.names = append(o.names, e.Name)
		o.files[e.Name], err = io.ReadAll(a.Content(e))
		w.must(err)
	}
	w.must(evidence.Decode(o.files[pack.IndexFile], &o.index))
	return o
}

// together packs it again, as the server would.
func (o *opened) together() []byte {
	var files []pack.File
	for _, name := range o.names {
		files = append(files, pack.Bytes(name, o.files[name]))
	}
	var b bytes.Buffer
	o.must(pack.Write(o.Context(), &b, files))
	return b.Bytes()
}

// summed makes the list of hashes anew, as a forger will.
func (o *opened) summed() []byte {
	var list strings.Builder
	for _, name := range o.names {
		if name != pack.SumsFile && name != pack.ProofFile {
			fmt.Fprintf(&list, "%s  %s\n", evidence.SHA256(o.files[name]), name)
		}
	}
	o.files[pack.SumsFile] = []byte(list.String())
	return o.together()
}

// item names a file of the n-th item.
func (o *opened) item(n int, name string) string { return o.index.Items[n].File(name) }

// edit replaces a text in a file, once.
func (o *opened) edit(name, from, to string) *opened {
	o.Helper()
	if !bytes.Contains(o.files[name], []byte(from)) {
		o.Fatalf("%s does not hold %q", name, from)
	}
	o.files[name] = bytes.Replace(o.files[name], []byte(from), []byte(to), 1)
	return o
}

// flip changes one bit in the middle of a file.
func (o *opened) flip(name string) *opened {
	b := bytes.Clone(o.files[name])
	b[len(b)/2] ^= 1
	o.files[name] = b
	return o
}

// lines cuts a file into its lines.
func (o *opened) lines(name string) []string {
	return slices.DeleteFunc(strings.SplitAfter(string(o.files[name]), "\n"), func(s string) bool { return s == "" })
}

func (o *opened) setLines(name string, lines []string) {
	o.files[name] = []byte(strings.Join(lines, ""))
}

// line changes the line of a file that holds a text.
func (o *opened) line(name, holds string, change func(s string) string) *opened {
	o.Helper()
	all := o.lines(name)
	for i := range all {
		if strings.Contains(all[i], holds) {
			all[i] = change(all[i])
			o.setLines(name, all)
			return o
		}
	}
	o.Fatalf("%s has no line with %q", name, holds)
	return nil
}

func (o *opened) saveIndex() *opened {
	o.files[pack.IndexFile] = pack.JSON(&o.index)
	return o
}

// swap exchanges what two files hold.
func (o *opened) swap(a, b string) *opened {
	o.files[a], o.files[b] = o.files[b], o.files[a]
	return o
}

// resign changes a statement and signs it with a key.
func (o *opened) resign(name string, k ed25519.PrivateKey, from, to string) *opened {
	o.Helper()
	e, err := evidence.ParseEnvelope(o.files[name])
	o.must(err)
	if !bytes.Contains(e.Payload, []byte(from)) {
		o.Fatalf("%s does not say %q", name, from)
	}
	payload := bytes.Replace(e.Payload, []byte(from), []byte(to), 1)
	o.files[name] = evidence.Sign(e.PayloadType, payload, "k", k).Marshal()
	return o
}

// rewritten is what an insider makes who holds every key of the server: the whole
// log anew, with one event changed, all proofs made again and the package sealed in
// it. change gets every event's text.
func (o *opened) rewritten(change func(row *catalog.EventRow, text string) string) []byte {
	o.Helper()
	contents := func() string { return evidence.SHA256(o.files[pack.SumsFile]).String() }
	texts, salts, sealed := []string{}, [][]byte{}, map[int64]bool{}
	state, err := o.db.LogState(o.Context())
	o.must(err)
	o.must(o.db.EventsByIndex(o.Context(), 0, state.Size, func(row *catalog.EventRow) error {
		texts, salts = append(texts, change(row, string(row.JSON))), append(salts, row.Salt)
		sealed[*row.LogIndex] = row.Type == evidence.EventPackaged
		return nil
	}))
	for n := range o.index.Items {
		name := o.item(n, "events.jsonl")
		all := o.lines(name)
		for i := range all {
			var e pack.Event
			o.must(json.Unmarshal([]byte(all[i]), &e))
			e.Event = texts[e.Index]
			all[i] = string(pack.JSON(&e))
		}
		o.setLines(name, all)
	}
	o.summed()
	var entries [][]byte
	for i := range texts {
		if sealed[int64(i)] {
			var e evidence.Event
			o.must(json.Unmarshal([]byte(texts[i]), &e))
			e.Details[pack.DetailContents] = contents()
			b, err := e.Encode()
			o.must(err)
			texts[i] = string(b)
		}
		entries = append(entries, tlog.Entry(salts[i], []byte(texts[i])))
	}
	tiles := new(tlogtest.Memory)
	size, root, err := tlog.Append(o.Context(), tiles, 0, entries)
	o.must(err)
	signer, err := tlog.NewSigner(origin, o.log)
	o.must(err)
	text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: root}, signer)
	o.must(err)
	all := o.lines(pack.ProofFile)
	for i := range all {
		var p pack.Proof
		o.must(json.Unmarshal([]byte(all[i]), &p))
		switch {
		case p.Checkpoint != "":
			p.Checkpoint = string(text)
		case p.Packaged != nil:
			p.Packaged.Event = texts[p.Packaged.Index]
		case p.Inclusion != nil:
			path, err := tlog.ProveInclusion(o.Context(), tiles, size, p.Inclusion.Index)
			o.must(err)
			p.Inclusion.Path = asDigests(path)
		case p.Growth != nil:
			path, err := tlog.ProveConsistency(o.Context(), tiles, size, p.Growth.From)
			o.must(err)
			p.Growth.Path = asDigests(path)
		}
		all[i] = string(pack.JSON(&p))
	}
	o.setLines(pack.ProofFile, all)
	return o.together()
}

func asDigests(path []tlog.Hash) []evidence.Digest {
	all := make([]evidence.Digest, len(path))
	for i, h := range path {
		all[i] = evidence.Digest(h)
	}
	return all
}

// rezipped packs the files with another program than ours.
func (o *opened) rezipped(method uint16, names []string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		o.must(err)
		_, err = f.Write(o.files[strings.TrimPrefix(name, "../")])
		o.must(err)
	}
	o.must(z.Close())
	return b.Bytes()
}

// patched changes bytes at each place where a text stands.
func patched(b []byte, text string, change func(at []byte)) []byte {
	b = bytes.Clone(b)
	for i := 0; ; {
		n := bytes.Index(b[i:], []byte(text))
		if n < 0 {
			return b
		}
		change(b[i+n:])
		i += n + len(text)
	}
}

// frame changes the local header of a file.
func frame(b []byte, name string, change func(head []byte)) []byte {
	b = bytes.Clone(b)
	at := bytes.Index(b, []byte(name))
	change(b[at-30 : at])
	return b
}
