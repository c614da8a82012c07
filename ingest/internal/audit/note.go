package audit

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/internal/tlog"
)

const (
	notePath  = "signed-size"
	noteLabel = "sealdock/signed-size/v2"
)

// noted is the largest tree that may have been signed: written before each
// signature, so that a catalog from a backup is found out even when the
// published checkpoint was lost with it. It is a checkpoint without a signature.
type noted struct {
	origin string
	size   int64
	root   tlog.Hash
}

func (n noted) text() []byte {
	return fmt.Appendf(nil, "%s\n%s\n%d\n%s\n", noteLabel, n.origin, n.size, base64.StdEncoding.EncodeToString(n.root[:]))
}

// readNote returns the zero value when nothing was ever noted under the log's name:
// what was under an earlier one is over.
func (l *Log) readNote(ctx context.Context) (noted, error) {
	data, err := l.get(ctx, notePath)
	if err != nil || data == nil {
		return noted{}, err
	}
	n, err := parseNote(string(data))
	if err == nil && !tlog.Continues(l.Origin, n.origin) {
		err = fmt.Errorf("it is of the log %q, and this is %q", n.origin, l.Origin)
	}
	if err != nil {
		return noted{}, fmt.Errorf("reading %s beside the log's tiles: %w: restore it from the newest backup", notePath, err)
	}
	if n.origin != l.Origin {
		return noted{}, nil
	}
	return n, nil
}

func parseNote(text string) (noted, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != noteLabel || lines[1] == "" || lines[4] != "" {
		return noted{}, fmt.Errorf("it is not four lines that begin with %q", noteLabel)
	}
	size, err := strconv.ParseInt(lines[2], 10, 64)
	if err != nil || size < 0 || size > tlog.MaxSize || strconv.FormatInt(size, 10) != lines[2] {
		return noted{}, fmt.Errorf("its size %q is no size of a log", lines[2])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[3])
	if err != nil || len(root) != len(tlog.Hash{}) {
		return noted{}, fmt.Errorf("its root is no SHA-256")
	}
	return noted{origin: lines[1], size: size, root: tlog.Hash(root)}, nil
}
