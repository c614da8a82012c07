package verifier

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/sealdock/sealdock/proto/evidence"
)

// chunks are how many parts of one leaf are in flight, each of evidence.LeafSize.
const chunks = 4

// chunk is one leaf on its way through the hashes.
type chunk struct {
	index uint64
	b     []byte
	wait  sync.WaitGroup // of the hashes that still read it
}

// checkFootage reads the recording, or the part of it that is there, once and takes
// the SHA-256 of the file, the hash of every leaf, and the archive's CRC.
func (s *subject) checkFootage() error {
	name := s.item.OriginalFile()
	part := s.parts[name]
	if part.Size != s.item.Packed() {
		s.failed(name, "The file has %d bytes, %d are right.", part.Size, s.item.Packed())
		return stopped{}
	}
	listed, err := s.leaves()
	if err != nil {
		return err
	}
	whole, crc, leaves, err := s.hashFootage(part)
	if err != nil {
		return err
	}
	s.nameDamage(name, part.Size, leaves, listed)
	if s.item.Part != nil {
		if err := s.checkPart(name, leaves); err != nil {
			return err
		}
	}
	switch root := evidence.MerkleRoot(leaves); {
	case s.item.Part == nil && whole != s.manifest.SHA256:
		s.failed(name, "The recording's SHA-256 is %s, the dock signed %s.", whole, s.manifest.SHA256)
	case whole != s.sums[name]:
		s.failed("SHA256SUMS", "It lists another SHA-256 for %s than the file has.", name)
	case s.item.Part == nil && root != s.manifest.MerkleRoot:
		s.failed(name, "The recording's Merkle root is %s, the dock signed %s.", root, s.manifest.MerkleRoot)
	case crc != part.CRC32:
		s.failed(name, "The checksum that the archive gives for the file is wrong.")
	case s.item.Part == nil:
		s.proven(s.about(), "The recording in the package, %d bytes, has that SHA-256 and that Merkle root: it is the one that the dock read, bit for bit.", part.Size)
	}
	return nil
}

// nameDamage names the parts whose leaf hashes are not the listed ones.
func (s *subject) nameDamage(name string, size uint64, leaves, listed []evidence.Digest) {
	damaged := 0
	for i, leaf := range leaves {
		if listed == nil || leaf == listed[i] {
			continue
		}
		if damaged++; damaged <= 3 {
			from := uint64(i) * evidence.LeafSize
			s.failed(name, "The recording was changed between byte %d and %d of this file.", from, min(from+evidence.LeafSize, size)-1)
		}
	}
	if damaged > 3 {
		s.failed(name, "It was changed in %d more places.", damaged-3)
	}
}

// checkPart demands that the leaves are those of the recording that the dock signed,
// in the place that the package names.
func (s *subject) checkPart(name string, leaves []evidence.Digest) error {
	b, err := s.read(s.item.File("part.bin"))
	if err != nil {
		return err
	}
	p := s.item.Part
	from, _ := p.Leaves()
	path, err := evidence.DecodeLeaves(b)
	var root evidence.Digest
	if err == nil {
		root, err = evidence.RangeRoot(evidence.LeafCount(s.manifest.Length), from, leaves, path)
	}
	if err != nil || root != s.manifest.MerkleRoot {
		s.failed(name, "It is not shown that this is byte %d to %d of the recording that the dock signed: the part, its place or its proof (part.bin) was changed.", p.From, p.To-1)
		return nil
	}
	s.proven(s.about(), "The file in the package is byte %d to %d of the recording's %d, bit for bit: it leads to the Merkle root that the dock signed. The rest of the recording is not in the package.", p.From, p.To-1, s.manifest.Length)
	if p.Span != nil {
		s.notProven(s.about(), "That these bytes hold the time %s: the server took it from the recording's own tables, which whoever has the whole recording can compare.", p.Span)
	}
	return nil
}

// leaves reads the list of leaf hashes of what is in the package; nil when it does
// not hold, which is told.
func (s *subject) leaves() ([]evidence.Digest, error) {
	name := s.item.File("leaves.bin")
	b, err := s.read(name)
	if err != nil {
		return nil, err
	}
	leaves, err := evidence.DecodeLeaves(b)
	if err != nil || uint64(len(leaves)) != evidence.LeafCount(s.item.Packed()) || s.item.Part == nil && evidence.MerkleRoot(leaves) != s.manifest.MerkleRoot {
		s.failed(name, "The list of parts' hashes does not give the Merkle root that the dock signed.")
		return nil, nil
	}
	return leaves, nil
}

// hashFootage reads on while both hashes of what was read are taken, each by a
// goroutine of its own.
func (s *subject) hashFootage(part *Part) (whole evidence.Digest, crc uint32, leaves []evidence.Digest, err error) {
	free := make(chan *chunk, chunks)
	for range chunks {
		free <- &chunk{b: make([]byte, 0, evidence.LeafSize)}
	}
	toWhole, toLeaves := make(chan *chunk, chunks), make(chan *chunk, chunks)
	leaves = make([]evidence.Digest, evidence.LeafCount(part.Size))
	sum := sha256.New()
	var both sync.WaitGroup
	both.Go(func() {
		for c := range toWhole {
			sum.Write(c.b)
			crc = crc32.Update(crc, crc32.IEEETable, c.b)
			c.wait.Done()
		}
	})
	both.Go(func() {
		for c := range toLeaves {
			leaves[c.index] = evidence.LeafHash(c.b)
			c.wait.Done()
			c.wait.Wait()
			free <- c
		}
	})
	err = s.feed(part, free, toWhole, toLeaves)
	close(toWhole)
	close(toLeaves)
	both.Wait()
	sum.Sum(whole[:0])
	return whole, crc, leaves, err
}

func (s *subject) feed(part *Part, free <-chan *chunk, to ...chan<- *chunk) error {
	r := part.Open()
	for index := range evidence.LeafCount(part.Size) {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		c := <-free
		c.index, c.b = index, c.b[:min(evidence.LeafSize, part.Size-index*evidence.LeafSize)]
		if _, err := io.ReadFull(r, c.b); err != nil && !(errors.Is(err, io.EOF) && len(c.b) == 0) {
			return fmt.Errorf("reading %s: %w", part.Name, err)
		}
		c.wait.Add(len(to))
		for _, ch := range to {
			ch <- c
		}
		s.progress(len(c.b))
	}
	return nil
}
