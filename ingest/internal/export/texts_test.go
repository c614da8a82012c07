package export_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/pack"
)

func TestTheTextsTellWhatWasRecorded(t *testing.T) {
	w, b := twoItems(t)
	o := w.takeApart(b)
	first := o.index.Items[0]
	for name, wants := range map[string][]string{
		pack.CertificateFile: {
			"DRAFT - NOT SIGNED", "902(13)", "902(14)", "CAM-1 Vigil 3", "DCIM/100/CLIP1.MP4", first.SHA256.String(), "3145805 bytes", "front-desk", "central",
			"08:30:00 UTC by the camera's clock", "08:29:56 UTC corrected, give or take 861ms", "by the hash that the camera had signed", "of example.org/custody", "Erased from the camera",
		},
		pack.ReadmeFile:         {"sha256sum -c SHA256SUMS", "openssl pkeyutl -verify -pubin -inkey keys/dock-1.pem", first.OriginalFile(), w.pins().LogKey, "verify.html"},
		o.item(0, "clock.json"): {`"began":{"camera":"2026-11-22T08:30:00`, `"corrected":"2026-11-22T08:29:56`, `"uncertainty":"861`, `"captured_raw":"20261122T120000"`, `"ahead_us":4000000`},
	} {
		for _, want := range wants {
			if !strings.Contains(string(o.files[name]), want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
	}
	if report := o.files[pack.ReportFile]; !bytes.HasPrefix(report, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(report), []byte("%%EOF")) {
		t.Error("the report is no PDF")
	}
}

// What README.txt tells to type works, with a program that knows nothing of ours.
func TestOpenSSLAloneChecksADocksSignature(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("OPENSSL WAS NOT ASKED: it is not installed")
	}
	w, b := twoItems(t)
	o := w.takeApart(b)
	dir := t.TempDir()
	check := func() error {
		for _, name := range []string{"keys/dock-1.pem", o.item(0, "manifest.signed"), o.item(0, "manifest.sig")} {
			w.must(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
			w.must(os.WriteFile(filepath.Join(dir, name), o.files[name], 0o600))
		}
		cmd := exec.CommandContext(t.Context(), openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "keys/dock-1.pem", "-rawin", "-in", o.item(0, "manifest.signed"), "-sigfile", o.item(0, "manifest.sig"))
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil && !strings.Contains(string(out), "Signature Verified Successfully") {
			err = errors.New(string(out))
		}
		return err
	}
	w.must(check())
	if !strings.Contains(string(o.files[o.item(0, "manifest.signed")]), `"sha256":"`+o.index.Items[0].SHA256.String()+`"`) {
		t.Error("the hash cannot be read in what is signed")
	}
	o.flip(o.item(0, "manifest.signed"))
	if check() == nil {
		t.Error("a statement that was changed is verified")
	}
}

// FuzzAFileOfAPackage puts other bytes into one file and makes the hashes anew: no
// file but the right one is taken.
func FuzzAFileOfAPackage(f *testing.F) {
	w := newWorld(f)
	b := w.pack(w.keep(recording{path: "A.MP4", content: noise(1000, 1), signed: true, erased: true}))
	whole := w.takeApart(b)
	for n, name := range whole.names {
		if len(whole.files[name]) < 1<<16 {
			f.Add(uint8(n), whole.files[name])
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, content []byte) {
		w := *w
		w.TB = t
		o := w.takeApart(b)
		name := o.names[int(n)%len(o.names)]
		same := bytes.Equal(o.files[name], content)
		o.files[name] = content
		forged := o.together()
		if name != pack.SumsFile && name != pack.ProofFile {
			forged = o.summed()
		}
		if r := w.judge(forged); (len(fails(r)) == 0) != same {
			t.Errorf("%s with other bytes: %s", name, r.Verdict)
		}
	})
}
