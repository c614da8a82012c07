package tlog

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"strings"
)

// restoredMark stands in the name of a log that goes on from a backup.
const restoredMark = "/restored-"

// MaxRestores bounds how often a log may have been restored from a backup.
const MaxRestores = 99

// Continued is the name under which the log named first goes on after its n-th
// restore from a backup: first itself for 0. What was signed beyond the backup
// cannot be signed again, nor taken back; so the log ends there, and another
// begins that has the entries of the backup as its own first ones, signed with
// the same key under another name.
func Continued(first string, n int) string {
	if n == 0 {
		return first
	}
	return first + restoredMark + strconv.Itoa(n)
}

// Restores takes the name of a log apart: the name before its first restore, and
// how often it was restored.
func Restores(origin string) (first string, n int) {
	at := strings.LastIndex(origin, restoredMark)
	if at <= 0 {
		return origin, 0
	}
	number := origin[at+len(restoredMark):]
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > MaxRestores || strconv.Itoa(n) != number {
		return origin, 0
	}
	return origin[:at], n
}

// Continues reports whether the log named origin is the one named earlier, or
// goes on from it after restores.
func Continues(origin, earlier string) bool {
	first, n := Restores(origin)
	other, before := Restores(earlier)
	return first == other && before <= n
}

// OpenEarlier is [OpenCheckpoint] for a checkpoint of the log named origin or of
// one that it [Continues], signed with the same key. The checkpoint's Origin says
// which.
func OpenEarlier(text []byte, origin string, key ed25519.PublicKey) (Checkpoint, error) {
	name, _, _ := strings.Cut(string(text[:min(len(text), maxCheckpoint)]), "\n")
	if !Continues(origin, name) {
		name = origin // which says what is wrong
	}
	v, err := NewVerifier(name, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("opening a checkpoint: %w: %w", ErrCheckpoint, err)
	}
	return OpenCheckpoint(text, name, v)
}

// Surviving is how many entries of the log named earlier are also those of the
// log named origin, which [Continues] it. restored holds, for each restore, how
// many entries the backup had. -1: all of them.
func Surviving(origin, earlier string, restored []int64) int64 {
	_, n := Restores(origin)
	_, before := Restores(earlier)
	least := int64(-1)
	for i := before; i < min(n, len(restored)); i++ {
		if least < 0 || restored[i] < least {
			least = restored[i]
		}
	}
	return least
}
