package verifier

import (
	"crypto/sha256"
	"crypto/x509"
	"time"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/timestamp"
	"github.com/sealdock/sealdock/internal/tlog"
)

// stamp is a time stamp that holds.
type stamp struct {
	*timestamp.Token
	size int64 // entries of the log that it covers
}

// checkStamps checks the time stamps: the token over a checkpoint of the log, of
// which the package's checkpoint is a continuation.
func (j *judge) checkStamps() error {
	for n := range j.index.Stamps {
		checkpoint, token, roots := pack.StampFiles(n)
		text, err := j.read(checkpoint)
		if err != nil {
			return err
		}
		der, err := j.read(token)
		if err != nil {
			return err
		}
		brought, err := j.read(roots)
		if err != nil {
			return err
		}
		then, err := tlog.OpenEarlier(text, j.index.LogOrigin, j.logKey())
		if err != nil {
			j.failed(checkpoint, "It is no checkpoint of this log: %v.", err)
			continue
		}
		path, ok := j.head.growths[then.Size]
		if !ok || tlog.CheckConsistency(path, j.head.Size, j.head.Root, then.Size, then.Root) != nil {
			j.failed(checkpoint, "The log of this package is no continuation of the log that was stamped (%d entries): the log was rewritten, or the proof was changed.", then.Size)
			continue
		}
		trusted := j.pinned.roots
		if trusted == nil {
			trusted = x509.NewCertPool()
			trusted.AppendCertsFromPEM(brought)
		}
		is, err := timestamp.Verify(der, sha256.Sum256(text), trusted)
		switch {
		case err != nil:
			j.failed(token, "%v.", err)
			continue
		case is.Trusted != nil && j.pinned.roots != nil:
			j.failed(token, "It is signed by %s, which is not of the authority that you gave: %v.", is.Authority(), is.Trusted)
			continue
		case is.Trusted != nil:
			j.failed(roots, "The authority that signed the time stamp, %s, is none of these: %v.", is.Authority(), is.Trusted)
			continue
		case j.pinned.roots == nil:
			j.notProven(subjectPackage, "That the time stamp of %s is of the authority %s: its certificate was taken from the package. Get it from the authority itself and give it to the verifier.", seconds(is.Time), is.Authority())
		}
		j.stamps = append(j.stamps, stamp{is, then.Size})
	}
	return nil
}

func seconds(t time.Time) string { return t.Format(time.DateTime + " UTC") }

// date says by when an entry of the log was there.
func (s *subject) date(entry int64) {
	var first *stamp
	for i := range s.stamps {
		if at := &s.stamps[i]; at.size > entry && (first == nil || at.Time.Before(first.Time)) {
			first = at
		}
	}
	if first == nil {
		s.notProven(s.about(), "When this was, by a clock other than the server's: no time stamp of an outside authority covers it.")
		return
	}
	s.proven(s.about(), "Its storing was in the custody log not later than %s, by the time stamp of %s (give or take %s).", seconds(first.Time), first.Authority(), first.Accuracy)
}
