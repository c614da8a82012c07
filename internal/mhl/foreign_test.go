package mhl

import (
	"crypto/sha512"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is written passes the schema of ASC MHL 2.0, and its reference implementation
// reads it, verifies the file by it, and finds the file changed. Neither is ours, so
// they are asked where they are: SEALDOCK_ASCMHL names a checkout of
// github.com/ascmitc/mhl; xmllint, and a python3 with its requirements, are installed.
func TestTheSchemaAndTheReferenceImplementationTakeWhatIsWritten(t *testing.T) {
	checkout := os.Getenv("SEALDOCK_ASCMHL")
	if checkout == "" {
		t.Skip("THE SCHEMA OF ASC MHL WAS NOT ASKED: set SEALDOCK_ASCMHL to a checkout of github.com/ascmitc/mhl")
	}
	dir := filepath.Join(t.TempDir(), "original")
	clip := filepath.Join(dir, "CLIP 1.MP4")
	content := []byte("what was recorded")
	name, list, chain := Write("original", Origin{At: time.Now(), Host: "evidence.example.org", Tool: "sealdock-ingest", Version: "v1 & <2>"},
		[]Listed{{Path: filepath.Base(clip), Size: uint64(len(content)), C4: C4Text(sha512.Sum512(content))}})
	put := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "ascmhl"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(clip, content)
	put(filepath.Join(dir, "ascmhl", name), list)
	put(filepath.Join(dir, "ascmhl", "ascmhl_chain.xml"), chain)
	for file, schema := range map[string]string{name: "ASCMHL.xsd", "ascmhl_chain.xml": "ASCMHLDirectory__combined.xsd"} {
		if told, err := exec.Command("xmllint", "--nonet", "--noout", "--schema", filepath.Join(checkout, "xsd", schema), filepath.Join(dir, "ascmhl", file)).CombinedOutput(); err != nil {
			t.Errorf("%s does not pass %s: %v\n%s", file, schema, err, told)
		}
	}
	// The checkout is no installed package: it is told its own version.
	info := filepath.Join(t.TempDir(), "ascmhl-1.dist-info")
	if err := os.Mkdir(info, 0o700); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(info, "METADATA"), []byte("Metadata-Version: 2.1\nName: ascmhl\nVersion: 1\n"))
	create := func() (string, error) {
		cmd := exec.Command("/usr/bin/python3", "-m", "ascmhl.cli.ascmhl", "create", "-h", "c4", dir)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+checkout+":"+filepath.Dir(info))
		told, err := cmd.CombinedOutput()
		return string(told), err
	}
	if told, err := create(); err != nil {
		t.Fatalf("the reference implementation: %v\n%s", err, told)
	}
	put(clip, []byte("What was recorded"))
	if told, err := create(); err == nil || !strings.Contains(told, "hash mismatch for        CLIP 1.MP4") {
		t.Errorf("of a changed file the reference implementation says: %v\n%s", err, told)
	}
}
