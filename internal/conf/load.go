package conf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds a configuration file in bytes.
const maxFile = 1 << 20

// Load reads the TOML file at path into the struct that into points to. Fields
// that the file does not name keep their values, which are the defaults. All
// unknown keys are told at once. A missing file is fs.ErrNotExist.
func Load(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if len(text) > maxFile {
		return fmt.Errorf("reading the configuration: %s is longer than %d bytes", path, maxFile)
	}
	return decode(path, string(text), into)
}

// decode reads text, which came from the file at path.
func decode(path, text string, into any) error {
	known, err := keys(into)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	meta, err := toml.Decode(text, into)
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		where := path
		if parse.Position.Line > 0 {
			where = fmt.Sprintf("%s:%d", path, parse.Position.Line)
		}
		key := ""
		if parse.LastKey != "" {
			key = fmt.Sprintf("key %q: ", parse.LastKey)
		}
		return fmt.Errorf("reading the configuration: %s: %s%s", where, key, parse.Message)
	}
	if err != nil {
		if wrong := wrongType(path, text, into); wrong != nil {
			return wrong
		}
		return fmt.Errorf("reading the configuration: %s: %w", path, err)
	}
	var unknown []error
	var told []toml.Key
	for _, key := range meta.Undecoded() {
		if slices.ContainsFunc(told, func(table toml.Key) bool { return within(key, table) }) {
			continue
		}
		told = append(told, key)
		unknown = append(unknown, unknownKey(path, text, key, known))
	}
	return errors.Join(unknown...)
}

// within reports whether key is table or lies in it.
func within(key, table toml.Key) bool {
	return len(key) >= len(table) && slices.Equal(key[:len(table)], table)
}

func unknownKey(path, text string, key toml.Key, known []string) error {
	where := path
	if line := lineOf(text, key); line > 0 {
		where = fmt.Sprintf("%s:%d", path, line)
	}
	hint := ""
	if near := nearest(key.String(), known); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return fmt.Errorf("reading the configuration: %s: unknown key %q%s", where, key.String(), hint)
}

// lineOf finds the line, from 1, where a key or table begins, 0 when it is written
// in a way that this simple look does not see (inline tables).
func lineOf(text string, key toml.Key) int {
	want := strings.Join(key, ".")
	table := ""
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "["); ok {
			header, _, _ = strings.Cut(strings.TrimPrefix(header, "["), "]")
			table = bare(header)
			if table == want || strings.HasPrefix(table, want+".") {
				return number
			}
			table += "."
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		full := table + bare(name)
		if ok && (full == want || strings.HasPrefix(full, want+".")) {
			return number
		}
	}
	return 0
}

// bare removes the quotes and spaces that a key may be written with.
func bare(key string) string {
	return strings.NewReplacer(`"`, "", "'", "", " ", "", "\t", "").Replace(key)
}

// nearest returns the known key most like the given one, "" when none is like it.
func nearest(key string, known []string) string {
	best, bestDistance := "", max(2, len(key)/3)+1
	for _, candidate := range known {
		distance := editDistance(key, candidate)
		if lastName(candidate) == lastName(key) {
			distance = min(distance, 2) // the right name in the wrong table
		}
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

func lastName(key string) string {
	return key[strings.LastIndexByte(key, '.')+1:]
}

// editDistance counts the insertions, deletions and replacements (Levenshtein)
// between two keys.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
