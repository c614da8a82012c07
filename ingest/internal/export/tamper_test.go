package export_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// tamperings are scripted forgeries: what is done to a package of two items, and what
// the verifier must name in a failed finding.
var tamperings = []struct {
	name  string
	forge func(o *opened, b []byte) []byte
	named string
}{
	// The archive.
	{"cut off at the end", func(o *opened, b []byte) []byte { return b[:len(b)-1] }, "the directory"},
	{"cut off in a recording", func(o *opened, b []byte) []byte { return b[:len(b)/2] }, "is cut off"},
	{"emptied", func(o *opened, b []byte) []byte { return nil }, "cut off"},
	{"bytes behind it", func(o *opened, b []byte) []byte { return append(bytes.Clone(b), 0) }, "the directory"},
	{"bytes before it", func(o *opened, b []byte) []byte { return append([]byte("MZ"), b...) }, "no file begins here"},
	{"packed again", func(o *opened, b []byte) []byte { return o.rezipped(zip.Store, o.names) }, "README.txt is not the one"},
	{"packed again, compressed", func(o *opened, b []byte) []byte { return o.rezipped(zip.Deflate, o.names) }, "README.txt is not the one"},
	{"a path that leads out", func(o *opened, b []byte) []byte {
		return patched(b, "README.txt", func(at []byte) { copy(at, "../../a.sh") })
	}, "leads elsewhere"},
	{"a name twice", func(o *opened, b []byte) []byte {
		return patched(b, "keys/log.txt", func(at []byte) { copy(at, "keys/log.pem") })
	}, "keys/log.pem is there twice"},
	{"a name twice but for its case", func(o *opened, b []byte) []byte {
		return patched(b, "keys/log.txt", func(at []byte) { copy(at, "keys/LOG.pem") })
	}, "is there twice"},
	{"another name in the directory alone", func(o *opened, b []byte) []byte {
		b = bytes.Clone(b)
		copy(b[bytes.LastIndex(b, []byte("report.pdf")):], "report.PDF")
		return b
	}, "does not list what is in the file"},
	{"a zip64 size that lies", func(o *opened, b []byte) []byte {
		return frame(b, "keys/receipt.pem", func(h []byte) { binary.LittleEndian.PutUint32(h[22:], 0xffffffff) })
	}, "keys/receipt.pem"},
	{"a size that swallows the next file", func(o *opened, b []byte) []byte {
		return frame(b, "keys/receipt.pem", func(h []byte) { binary.LittleEndian.PutUint32(h[22:], 1<<20) })
	}, "keys/receipt.pem"},
	{"a compressed entry", func(o *opened, b []byte) []byte {
		return frame(b, "keys/receipt.pem", func(h []byte) { h[8] = 8 })
	}, "keys/receipt.pem"},
	{"an encrypted entry", func(o *opened, b []byte) []byte {
		return frame(b, "keys/receipt.pem", func(h []byte) { h[6] = 1 })
	}, "keys/receipt.pem"},
	{"another date", func(o *opened, b []byte) []byte {
		return frame(b, "keys/receipt.pem", func(h []byte) { h[12]++ })
	}, "keys/receipt.pem"},
	{"a false checksum", func(o *opened, b []byte) []byte {
		crc := binary.LittleEndian.Uint32(b[bytes.Index(b, []byte("keys/receipt.pem"))-16:])
		return patched(b, string(binary.LittleEndian.AppendUint32(nil, crc)), func(at []byte) { at[0] ^= 1 })
	}, "keys/receipt.pem"},
	{"a file added", func(o *opened, b []byte) []byte {
		o.names = append([]string{"setup.exe"}, o.names...)
		o.files["setup.exe"] = []byte("MZ")
		return o.summed()
	}, "setup.exe"},
	{"a file removed", func(o *opened, b []byte) []byte {
		o.names = slices.DeleteFunc(o.names, func(s string) bool { return s == o.item(0, "receipt.json") })
		return o.summed()
	}, "receipt.json"},
	{"files in another order", func(o *opened, b []byte) []byte { slices.Sort(o.names[:5]); return o.summed() }, "not in its place"},

	// The recording.
	{"one bit of the recording", func(o *opened, b []byte) []byte { return o.flip(o.index.Items[0].OriginalFile()).together() }, "original/CLIP1.MP4"},
	{"one bit of the recording, hashes made anew", func(o *opened, b []byte) []byte {
		return o.flip(o.index.Items[0].OriginalFile()).summed()
	}, "The recording was changed between byte 1048576 and"},
	{"the recordings exchanged", func(o *opened, b []byte) []byte {
		return o.swap(o.index.Items[0].OriginalFile(), o.index.Items[1].OriginalFile()).summed()
	}, "original/CLIP1.MP4"},
	{"the recording shorter", func(o *opened, b []byte) []byte {
		name := o.index.Items[0].OriginalFile()
		o.files[name] = o.files[name][:len(o.files[name])-1]
		return o.summed()
	}, "original/CLIP1.MP4"},
	{"another recording, and its leaves", func(o *opened, b []byte) []byte {
		content := noise(3<<20+77, 99)
		o.files[o.index.Items[0].OriginalFile()], o.files[o.item(0, "leaves.bin")] = content, evidence.EncodeLeaves(leavesOf(content))
		return o.summed()
	}, "leaves.bin"},

	// What people read.
	{"the report edited", func(o *opened, b []byte) []byte { return o.flip(pack.ReportFile).together() }, "report.pdf"},
	{"the report edited, hashes made anew", func(o *opened, b []byte) []byte { return o.flip(pack.ReportFile).summed() }, "SHA256SUMS"},
	{"the verifier's page replaced", func(o *opened, b []byte) []byte {
		o.files[pack.PageFile] = []byte("<h1>The package holds</h1>")
		return o.together()
	}, "verify.html"},
	{"the read-me edited", func(o *opened, b []byte) []byte {
		return o.edit(pack.ReadmeFile, "custody log", "custody l0g").together()
	}, "README.txt"},
	{"the certificate edited", func(o *opened, b []byte) []byte {
		return o.edit(pack.CertificateFile, "CAM-1", "CAM-2").together()
	}, "certificate-902.txt"},
	{"a corrected time edited, hashes made anew", func(o *opened, b []byte) []byte {
		return o.edit(o.item(0, "clock.json"), "08:29:56", "08:09:56").summed()
	}, "clock.json"},
	{"the hash list edited", func(o *opened, b []byte) []byte {
		return o.edit(o.item(0, "original/ascmhl/"+o.index.Items[0].List), ">c4", ">c5").together()
	}, ".mhl"},

	// What docks and server signed.
	{"the manifest edited", func(o *opened, b []byte) []byte { return o.flip(o.item(0, "manifest.json")).summed() }, "manifest.json"},
	{"the manifest signed by somebody else", func(o *opened, b []byte) []byte {
		return o.resign(o.item(0, "manifest.json"), key(66), "CAM-1", "CAM-2").summed()
	}, "manifest.json"},
	{"the manifest signed by somebody else, whose key is put in", func(o *opened, b []byte) []byte {
		o.index.Docks[0].Key = public(key(66))
		o.files[pack.DockKeyFile(0)] = pack.PEM(public(key(66)))
		return o.resign(o.item(0, "manifest.json"), key(66), "CAM-1", "CAM-2").saveIndex().summed()
	}, "SHA256SUMS"},
	{"the manifests exchanged", func(o *opened, b []byte) []byte {
		return o.swap(o.item(0, "manifest.json"), o.item(1, "manifest.json")).summed()
	}, "manifest.json"},
	{"what openssl checks edited", func(o *opened, b []byte) []byte { return o.flip(o.item(0, "manifest.signed")).summed() }, "manifest.signed"},
	{"another key for openssl", func(o *opened, b []byte) []byte {
		o.files[pack.DockKeyFile(0)] = pack.PEM(public(key(66)))
		return o.summed()
	}, "keys/dock-1.pem"},
	{"the inventory edited", func(o *opened, b []byte) []byte { return o.flip(o.item(0, "inventory-1.json")).summed() }, "inventory-1.json"},
	{"the inventory of another docking", func(o *opened, b []byte) []byte {
		return o.swap(o.item(0, "inventory-1.json"), o.item(1, "inventory-1.json")).summed()
	}, "inventory-1.json"},
	{"the receipt edited", func(o *opened, b []byte) []byte { return o.flip(o.item(0, "receipt.json")).summed() }, "receipt.json"},
	{"the receipt of another item", func(o *opened, b []byte) []byte {
		return o.swap(o.item(0, "receipt.json"), o.item(1, "receipt.json")).summed()
	}, "receipt.json"},
	{"the receipt signed by somebody else", func(o *opened, b []byte) []byte {
		return o.resign(o.item(0, "receipt.json"), key(66), "CAM-1", "CAM-2").summed()
	}, "receipt.json"},
	{"the release edited", func(o *opened, b []byte) []byte { return o.flip(o.item(0, "release-1.json")).summed() }, "release-1.json"},
	{"a release on another receipt", func(o *opened, b []byte) []byte {
		e, err := evidence.ParseEnvelope(o.files[o.item(0, "receipt.json")])
		o.must(err)
		return o.resign(o.item(0, "release-1.json"), o.dockKey, evidence.SHA256(e.Payload).String(), strings.Repeat("ab", 32)).summed()
	}, "release-1.json"},

	// Custody events.
	{"an event edited", func(o *opened, b []byte) []byte {
		return o.line(o.item(0, "events.jsonl"), "evidence.viewed", func(s string) string { return strings.Replace(s, "192.0.2.7", "192.0.2.8", 1) }).summed()
	}, "events.jsonl"},
	{"an event removed", func(o *opened, b []byte) []byte {
		return o.line(o.item(0, "events.jsonl"), "evidence.viewed", func(string) string { return "" }).summed()
	}, "events.jsonl"},
	{"an event removed and the count made right", func(o *opened, b []byte) []byte {
		o.index.Items[0].Events--
		return o.line(o.item(0, "events.jsonl"), "evidence.viewed", func(string) string { return "" }).saveIndex().summed()
	}, "SHA256SUMS"},
	{"the event of the storing removed", func(o *opened, b []byte) []byte {
		o.index.Items[0].Events--
		return o.line(o.item(0, "events.jsonl"), "evidence.stored", func(string) string { return "" }).saveIndex().summed()
	}, "events.jsonl"},
	{"an event twice", func(o *opened, b []byte) []byte {
		o.index.Items[0].Events++
		return o.line(o.item(0, "events.jsonl"), "evidence.viewed", func(s string) string { return s + s }).saveIndex().summed()
	}, "events.jsonl"},
	{"an event of another item", func(o *opened, b []byte) []byte {
		first := o.lines(o.item(1, "events.jsonl"))[0]
		o.index.Items[0].Events++
		o.files[o.item(0, "events.jsonl")] = append(o.files[o.item(0, "events.jsonl")], first...)
		return o.saveIndex().summed()
	}, "events.jsonl"},
	{"two events exchanged", func(o *opened, b []byte) []byte {
		all := o.lines(o.item(0, "events.jsonl"))
		all[0], all[1] = all[1], all[0]
		o.setLines(o.item(0, "events.jsonl"), all)
		return o.summed()
	}, "events.jsonl"},
	{"an event's salt changed", func(o *opened, b []byte) []byte {
		return o.line(o.item(0, "events.jsonl"), "evidence.viewed", func(s string) string {
			var e pack.Event
			o.must(json.Unmarshal([]byte(s), &e))
			e.Salt[0] ^= 1
			return string(pack.JSON(&e))
		}).summed()
	}, "events.jsonl"},
	{"a dock's registration edited", func(o *opened, b []byte) []byte { return o.flip(pack.DocksFile).summed() }, "docks.jsonl"},
	{"a line without end", func(o *opened, b []byte) []byte {
		o.files[o.item(0, "events.jsonl")] = bytes.Repeat([]byte("a"), pack.MaxLine+1)
		return o.summed()
	}, "events.jsonl"},

	// The log's proofs.
	{"the checkpoint's size changed", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, "checkpoint", func(s string) string { return strings.Replace(s, `custody\n`, `custody\n1`, 1) }).together()
	}, "proof.jsonl"},
	{"a checkpoint signed by somebody else", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, "checkpoint", func(s string) string {
			signer, err := tlog.NewSigner(origin, key(66))
			o.must(err)
			text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: 9, Root: tlog.Hash{1}}, signer)
			o.must(err)
			return string(pack.JSON(pack.Proof{Checkpoint: string(text)}))
		}).together()
	}, "proof.jsonl"},
	{"an inclusion proof edited", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, `"inclusion":{"index":3,`, func(s string) string {
			var p pack.Proof
			o.must(json.Unmarshal([]byte(s), &p))
			p.Inclusion.Path[0][0] ^= 1
			return string(pack.JSON(&p))
		}).together()
	}, "entry 3 of the log"},
	{"an inclusion proof removed", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, `"inclusion":{"index":3,`, func(string) string { return "" }).together()
	}, "entry 3 of the log"},
	{"a proof of nothing added", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, `"growth"`, func(s string) string {
			return string(pack.JSON(pack.Proof{Inclusion: &pack.Inclusion{Index: 1 << 40, Path: []evidence.Digest{}}})) + s
		}).together()
	}, "proof.jsonl"},
	{"a growth proof edited", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, `"growth"`, func(s string) string {
			var p pack.Proof
			o.must(json.Unmarshal([]byte(s), &p))
			p.Growth.Path[0][0] ^= 1
			return string(pack.JSON(&p))
		}).together()
	}, "no continuation of the log"},
	{"a growth proof removed", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, `"growth"`, func(string) string { return "" }).together()
	}, "proof.jsonl"},
	{"the event of the making removed", func(o *opened, b []byte) []byte {
		return o.line(pack.ProofFile, `"packaged"`, func(string) string { return "" }).together()
	}, "proof.jsonl"},
	{"the seal of an older package", func(o *opened, b []byte) []byte {
		older := o.takeApart(o.pack(o.items...))
		o.files[pack.ProofFile] = older.files[pack.ProofFile]
		return o.together()
	}, "SHA256SUMS"},
	{"the log rewritten from before the receipt by who holds all keys", func(o *opened, b []byte) []byte {
		return o.rewritten(func(row *catalog.EventRow, text string) string {
			if row.Type == evidence.EventManifestReceived {
				return strings.Replace(text, "front-desk", "back-door!", 1)
			}
			return text
		})
	}, "no continuation of the log"},

	// What the package says of itself.
	{"another agency", func(o *opened, b []byte) []byte { o.index.Agency = "other-pd"; return o.saveIndex().summed() }, "agency"},
	{"another hash in the index", func(o *opened, b []byte) []byte { o.index.Items[0].SHA256[0] ^= 1; return o.saveIndex().summed() }, "package.json"},
	{"another time of making", func(o *opened, b []byte) []byte {
		o.index.MadeAt = o.index.MadeAt.AddDate(-1, 0, 0)
		return o.saveIndex().summed()
	}, "SHA256SUMS"},
	{"another log key", func(o *opened, b []byte) []byte {
		o.index.LogKey = public(key(66))
		o.files[pack.LogKeyFile] = pack.PEM(public(key(66)))
		return o.saveIndex().summed()
	}, "another log key"},
	{"an item left out", func(o *opened, b []byte) []byte {
		dir := o.item(1, "")
		o.names = slices.DeleteFunc(o.names, func(s string) bool { return strings.HasPrefix(s, dir) })
		o.index.Items = o.index.Items[:1]
		return o.saveIndex().summed()
	}, "proof.jsonl"},
	{"a key twice in the index", func(o *opened, b []byte) []byte {
		return o.edit(pack.IndexFile, `{"version":1,`, `{"version":1,"VERSION":1,`).summed()
	}, "package.json"},
	{"an index that nests without end", func(o *opened, b []byte) []byte {
		o.files[pack.IndexFile] = []byte(strings.Repeat(`{"docks":`, 100_000))
		return o.summed()
	}, "package.json"},
}
