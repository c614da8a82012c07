package verifier

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// read returns a whole file of at most pack.MaxSmall.
func (j *judge) read(name string) ([]byte, error) {
	p := j.parts[name]
	if p == nil {
		j.failed(name, "The file is missing.")
		return nil, stopped{}
	}
	if p.Size > pack.MaxSmall {
		j.failed(name, "The file has %d bytes, at most %d are read.", p.Size, pack.MaxSmall)
		return nil, stopped{}
	}
	b := make([]byte, p.Size)
	if _, err := io.ReadFull(p.Open(), b); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if j.sums == nil && crc32.ChecksumIEEE(b) != p.CRC32 { // later on, the hashes tell
		j.failed(name, "The file was changed or damaged: the archive's checksum does not fit it.")
		return nil, stopped{}
	}
	return b, j.ctx.Err()
}

func (j *judge) progress(n int) {
	if j.done += uint64(n); j.Progress != nil {
		j.Progress(j.done, j.total)
	}
}

func (j *judge) readIndex() error {
	b, err := j.read(pack.IndexFile)
	if err != nil {
		return err
	}
	var x pack.Index
	if err := evidence.Decode(b, &x); err != nil {
		j.failed(pack.IndexFile, "It cannot be read: %v.", err)
		return stopped{}
	}
	j.index = x
	j.takeKeys()
	return nil
}

// checkNames demands exactly the files that the index names, in their order.
func (j *judge) checkNames(parts []Part) error {
	want := j.index.Names()
	wanted := map[string]bool{}
	for _, name := range want {
		wanted[name] = true
		if j.parts[name] == nil {
			j.failed(name, "The file is missing.")
		}
	}
	for i := range parts {
		if !wanted[parts[i].Name] {
			j.failed(parts[i].Name, "The file does not belong into this package.")
		}
	}
	if j.anyFailed() {
		return stopped{}
	}
	for i := range parts {
		if i >= len(want) || parts[i].Name != want[i] {
			j.failed(parts[i].Name, "The file is not in its place.")
			return stopped{}
		}
	}
	return nil
}

func (j *judge) anyFailed() bool { return j.fails > 0 }

// checkSums reads the list of hashes and compares every file with it but the
// recordings, which are hashed with their items.
func (j *judge) checkSums() error {
	b, err := j.read(pack.SumsFile)
	if err != nil {
		return err
	}
	j.head.contents = evidence.SHA256(b)
	names := j.index.Names()
	names = names[:len(names)-2]
	j.sums = make(map[string]evidence.Digest, len(names))
	lines := strings.SplitAfter(string(b), "\n")
	for i, name := range names {
		if i >= len(lines) || len(lines[i]) != 64+2+len(name)+1 || lines[i][64:] != "  "+name+"\n" {
			j.failed(pack.SumsFile, "Line %d does not tell the hash of %s.", i+1, name)
			return stopped{}
		}
		sum, err := evidence.ParseDigest(lines[i][:64])
		if err != nil {
			j.failed(pack.SumsFile, "Line %d: %v.", i+1, err)
			return stopped{}
		}
		j.sums[name] = sum
	}
	if len(lines) != len(names)+1 || lines[len(names)] != "" {
		j.failed(pack.SumsFile, "It has more lines than there are files.")
		return stopped{}
	}
	originals := map[string]bool{}
	for i := range j.index.Items {
		originals[j.index.Items[i].OriginalFile()] = true
	}
	intact := 0
	for _, name := range append(names, pack.SumsFile, pack.ProofFile) {
		if originals[name] {
			continue
		}
		same, err := j.hash(name)
		if err != nil {
			return err
		}
		if same {
			intact++
		}
	}
	if of := len(names) + 2 - len(originals); intact == of {
		j.proven(subjectPackage, "All %d files beside the recordings are as "+pack.SumsFile+" lists them.", of)
	} else {
		j.proven(subjectPackage, "Of %d files beside the recordings, %d are as "+pack.SumsFile+" lists them.", of, intact)
	}
	return nil
}

// hash compares a file with its hash and its CRC.
func (j *judge) hash(name string) (same bool, err error) {
	p := j.parts[name]
	sum, crc := sha256.New(), crc32.NewIEEE()
	n, err := io.Copy(io.MultiWriter(sum, crc), p.Open())
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", name, err)
	}
	j.progress(int(n))
	want, listed := j.sums[name]
	switch {
	case listed && evidence.Digest(sum.Sum(nil)) != want:
		j.failed(name, "The file was changed: its SHA-256 is %x, the package was sealed with %s.", sum.Sum(nil), want)
	case crc.Sum32() != p.CRC32:
		j.failed(name, "The checksum that the archive gives for this file is wrong.")
	default:
		return true, j.ctx.Err()
	}
	return false, j.ctx.Err()
}

// checkDerived demands that the files that only repeat others do so.
func (j *judge) checkDerived() error {
	note, err := tlog.VerifierKey(j.index.LogOrigin, j.index.LogKey)
	if err != nil {
		j.failed(pack.IndexFile, "The log's key cannot be written: %v.", err)
		return nil
	}
	want := map[string][]byte{
		pack.LogKeyFile: pack.PEM(j.index.LogKey), pack.LogNoteFile: []byte(note + "\n"), pack.ReceiptKeyFile: pack.PEM(j.index.ReceiptKey),
	}
	if j.index.DerivativeKey != nil {
		want[pack.DerivativesFile] = pack.PEM(j.index.DerivativeKey)
	}
	for n := range j.index.Docks {
		want[pack.DockKeyFile(n)] = pack.PEM(j.index.Docks[n].Key)
	}
	for name, b := range want {
		if err := j.same(name, b, "the key in "+pack.IndexFile); err != nil {
			return err
		}
	}
	return nil
}

// same demands that a file holds what it is to repeat.
func (j *judge) same(name string, want []byte, of string) error {
	have, err := j.read(name)
	if err == nil && !bytes.Equal(have, want) {
		j.failed(name, "The file does not say the same as %s.", of)
	}
	return err
}

// lines gives each line of a file of JSON lines, without holding the file. b is good
// until line returns.
func (j *judge) lines(name string, line func(n int, b []byte) error) error {
	r := bufio.NewReaderSize(j.parts[name].Open(), pack.MaxLine)
	for n := 1; ; n++ {
		b, err := r.ReadSlice('\n')
		switch {
		case err == io.EOF && len(b) == 0:
			return nil
		case err == io.EOF:
			j.failed(name, "The last line is cut off.")
			return stopped{}
		case errors.Is(err, bufio.ErrBufferFull):
			j.failed(name, "Line %d is longer than %d bytes.", n, pack.MaxLine)
			return stopped{}
		case err != nil:
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if err := line(n, b[:len(b)-1]); err != nil {
			return err
		}
		if err := j.ctx.Err(); err != nil {
			return err
		}
	}
}

func keyText(k ed25519.PublicKey) string { return fmt.Sprintf("%x", []byte(k)) }
