package simulator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	perFolder    = 100 // recordings in one DCIM folder
	firstFolder  = 100
	lastFolder   = 999
	hashBuffer   = 1 << 20
	betweenClips = 37 * time.Minute
)

// recording is a recording together with its line in the oracle.
type recording struct {
	*firmware.Recording
	row oracle.Recording
}

// folders is where a camera puts its n-th recording, from 1 (DCF 2.0, 3.2: a
// folder's name is a number from 100 on and five letters).
func folders(n int) []camera.Text {
	number := min(firstFolder+(n-1)/perFolder, lastFolder)
	return []camera.Text{camera.NewText("DCIM"), camera.NewText(fmt.Sprintf("%dSEALD", number))}
}

// printable is a name as people may see it: what is not plain is escaped.
func printable(t camera.Text) string {
	s := t.String()
	plain := t.Valid() && s != "." && s != ".." && strings.IndexFunc(s, func(r rune) bool {
		return r == '/' || r == '\\' || !unicode.IsPrint(r)
	}) < 0
	if plain {
		return s
	}
	var out strings.Builder
	for _, u := range t {
		if r := rune(u); u < 0xD800 && unicode.IsPrint(r) && r != '/' && r != '\\' && r != '.' {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "\\u%04x", u)
		}
	}
	return out.String()
}

// newRecording completes a recording: its path, size, digest and oracle line.
func newRecording(where []camera.Text, name camera.Text, kind evidence.Kind, at time.Time, c firmware.Content) (recording, error) {
	r := &firmware.Recording{Folders: where, Name: name, Kind: kind, Captured: at, Content: c}
	parts, raw, faithful := []string{}, [][]byte{}, true
	for _, t := range append(slices.Clone(where), name) {
		part := printable(t)
		faithful = faithful && part == t.String() && t.Valid()
		parts, raw = append(parts, part), append(raw, t.Bytes())
	}
	r.Path = strings.Join(parts, "/")
	reader, err := c.Open()
	if err != nil {
		return recording{}, err
	}
	defer reader.Close()
	sum := sha256.New()
	if r.Size, err = io.CopyBuffer(sum, io.NewSectionReader(reader, 0, 1<<62), make([]byte, hashBuffer)); err != nil {
		return recording{}, fmt.Errorf("hashing recording %s: %w", r.Path, err)
	}
	r.SHA256 = evidence.Digest(sum.Sum(nil))
	row := oracle.Recording{Path: r.Path, Size: r.Size, SHA256: r.SHA256, Kind: kind, CapturedAt: at.UTC()}
	if !faithful {
		row.RawPath = raw
	}
	switch c := c.(type) {
	case firmware.File:
		row.ContentFile = string(c)
	case firmware.Synthetic:
		s := footage.Synthetic(c)
		row.Synthetic = &s
	}
	return recording{r, row}, nil
}

// describe gives a recording what its line says beside the bytes.
func describe(r *firmware.Recording, row *oracle.Recording) {
	r.Sequence, r.Started, r.Ended = row.Sequence, row.StartedAt, row.EndedAt
	r.Officer, r.OfficerID, r.Urgent = row.Officer, row.OfficerID, row.Urgent
}

// about notes when a recording was made, by the camera's clock, and who wore the camera.
func (r *recording) about(started, ended time.Time, officer, id string) {
	r.Started, r.Ended, r.Officer, r.OfficerID = started, ended, officer, id
	r.row.StartedAt, r.row.EndedAt, r.row.Officer, r.row.OfficerID = started, ended, officer, id
}

// revive makes a recording of an oracle's line, without hashing it again.
func revive(row oracle.Recording) (recording, error) {
	r := &firmware.Recording{Path: row.Path, Kind: row.Kind, Size: row.Size, SHA256: row.SHA256, Captured: row.CapturedAt}
	describe(r, &row)
	var names []camera.Text
	for _, raw := range row.RawPath {
		var t camera.Text
		for ; len(raw) >= 2; raw = raw[2:] {
			t = append(t, uint16(raw[0])|uint16(raw[1])<<8)
		}
		names = append(names, t)
	}
	if names == nil {
		for part := range strings.SplitSeq(row.Path, "/") {
			names = append(names, camera.NewText(part))
		}
	}
	r.Folders, r.Name = names[:len(names)-1], names[len(names)-1]
	if row.Synthetic != nil {
		r.Content = firmware.Synthetic(*row.Synthetic)
		return recording{r, row}, nil
	}
	info, err := os.Stat(row.ContentFile)
	if err != nil {
		return recording{}, fmt.Errorf("recording %s of an earlier run: %w", row.Path, err)
	}
	if info.Size() != row.Size {
		return recording{}, fmt.Errorf("recording %s of an earlier run: its bytes in %s have changed", row.Path, row.ContentFile)
	}
	r.Content = firmware.File(row.ContentFile)
	return recording{r, row}, nil
}

// source makes recordings for cameras.
type source struct {
	config *Config
	maker  *footage.Maker // nil: no footage is made
	files  []string       // of Config.Folder, relative, sorted
}

// next makes what a camera's n-th press of the record button leaves, from 1: a
// clip and its sidecar, or one synthetic file.
func (s *source) next(ctx context.Context, number int, serial string, n int, wearer *camera.Wearer) ([]recording, error) {
	if s.maker == nil {
		return s.synthetic(number, n, wearer)
	}
	at := s.config.ShiftStart.Add(time.Duration(n-1)*betweenClips + time.Duration(number-1)*11*time.Minute).UTC()
	clip := footage.Clip{Serial: serial, Model: Model, Sequence: n, Wearer: number - 1, Started: at, Size: s.config.ClipSize, Seed: s.config.Seed}
	if wearer != nil {
		clip.Assigned = &footage.Officer{ID: wearer.OfficerID, Name: wearer.Officer, Badge: wearer.OfficerID}
	}
	files, err := s.maker.Make(ctx, clip)
	if err != nil {
		return nil, err
	}
	stem := fmt.Sprintf("BWC%05d", n)
	video, err := newRecording(folders(n), camera.NewText(stem+".MP4"), evidence.KindVideo, at, firmware.File(files.Video))
	if err != nil {
		return nil, err
	}
	sidecar, err := newRecording(folders(n), camera.NewText(stem+".JSON"), evidence.KindMetadata, at, firmware.File(files.Sidecar))
	if err != nil {
		return nil, err
	}
	officer := clip.Officer()
	for _, r := range []*recording{&video, &sidecar} {
		r.about(at, at.Add(clip.Duration()), officer.Name, officer.ID)
	}
	return []recording{video, sidecar}, nil
}

func (s *source) synthetic(number, n int, wearer *camera.Wearer) ([]recording, error) {
	size := s.config.FileSize
	if s.config.Files == 0 {
		size = s.config.ClipSize
	}
	c := firmware.Synthetic{Seed: s.config.Seed<<40 ^ uint64(number)<<24 ^ uint64(n), Size: size}
	at := s.config.ShiftStart.Add(time.Duration(n) * time.Minute).UTC()
	r, err := newRecording(folders(n), camera.NewText(fmt.Sprintf("SYN%05d.BIN", n)), evidence.KindOther, at, c)
	if err != nil {
		return nil, err
	}
	if wearer == nil {
		wearer = &camera.Wearer{}
	}
	r.about(at, at, wearer.Officer, wearer.OfficerID)
	return []recording{r}, nil
}

// ready are a camera's recordings from the folder of ready files.
func (s *source) ready(number int) ([]recording, error) {
	var list []recording
	stem, deal := "", -1
	for _, name := range s.files {
		if st := strings.TrimSuffix(name, filepath.Ext(name)); deal < 0 || st != stem { // a sidecar stays with its clip
			stem, deal = st, deal+1
		}
		if !s.config.FolderAll && deal%s.config.Cameras != number-1 {
			continue
		}
		r, err := s.file(name)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func (s *source) file(name string) (recording, error) {
	path := filepath.Join(s.config.Folder, name)
	info, err := os.Stat(path)
	if err != nil {
		return recording{}, fmt.Errorf("taking ready file: %w", err)
	}
	where := folders(1)
	parts := strings.Split(filepath.ToSlash(name), "/")
	for _, p := range parts[:len(parts)-1] {
		where = append(where, camera.NewText(p))
	}
	return newRecording(where, camera.NewText(parts[len(parts)-1]), kindOf(name), info.ModTime().UTC(), firmware.File(path))
}

func kindOf(name string) evidence.Kind {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".ts":
		return evidence.KindVideo
	case ".json", ".xml", ".gpx", ".srt":
		return evidence.KindMetadata
	}
	return evidence.KindOther
}

// walk lists the regular files of a folder, relative to it.
func walk(folder string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		list = append(list, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing ready files: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("listing ready files: there is none in " + folder)
	}
	slices.Sort(list)
	return list, nil
}
