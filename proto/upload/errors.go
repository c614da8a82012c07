package upload

import (
	"fmt"
	"time"
)

// Code names why a peer refused something. SPEC.md section 7 says what each
// side does. A code that is not listed here counts as CodeInternal.
type Code string

// The codes of protocol version 1.
const (
	CodeRetryLater     Code = "retry_later"     // busy: the same again after the given time
	CodeFull           Code = "full"            // the store has no room; the dock keeps what it has
	CodeDigestMismatch Code = "digest_mismatch" // a segment, or the whole, is not what the manifest says
	CodeUnknownDevice  Code = "unknown_device"  // this dock is not enrolled, or was disabled
	CodeWrongAgency    Code = "wrong_agency"    // certificate, hello or manifest names another agency
	CodeBadManifest    Code = "bad_manifest"    // signature or contents of a statement do not hold
	CodeBadFrame       Code = "bad_frame"       // bytes outside the protocol
	CodeVersion        Code = "version"         // the peers speak different protocol versions
	CodeQuarantined    Code = "quarantined"     // the item is in quarantine: people decide
	CodeConflict       Code = "conflict"        // the same item with other contents: a new attempt is needed
	CodeNotFound       Code = "not_found"       // what was asked for is not here: ask for the policy again
	CodeSetBack        Code = "set_back"        // the server has a smaller custody log than it showed this dock: it was set back
	CodeInternal       Code = "internal"        // the server failed: its log says why
)

// Retryable says whether the same request may succeed later without anybody
// doing something at the dock.
func (c Code) Retryable() bool {
	switch c {
	case CodeRetryLater, CodeFull, CodeInternal:
		return true
	case CodeDigestMismatch, CodeUnknownDevice, CodeWrongAgency, CodeBadManifest,
		CodeBadFrame, CodeVersion, CodeQuarantined, CodeConflict, CodeNotFound, CodeSetBack:
		return false
	}
	return true
}

// Error is a refusal in the protocol's terms: the peer's, when read, or one of
// our own, to be sent. It is both a Message and an error; errors.As finds it.
type Error struct {
	Code       Code
	Message    string        // for people: what, why, what to do
	Segment    uint64        // the segment in question, with CodeDigestMismatch
	RetryAfter time.Duration // the earliest moment to try again, 0 when the peer has no opinion; whole milliseconds
}

// Error gives the code and the sentence for people.
func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Message
}

// Errorf makes an Error of the code with a sentence for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: CleanText(fmt.Sprintf(format, args...), MaxMessage)}
}

// VersionMismatch is the refusal of a peer that speaks another protocol
// version: it names both versions and the program to update.
func VersionMismatch(peer uint32) *Error {
	update := "the ingest server"
	if peer < Version {
		update = "the dock agent"
	}
	return Errorf(CodeVersion, "the dock speaks upload protocol %d and the server speaks %d: update %s", peer, Version, update)
}

func (e *Error) wire() *Failure {
	return &Failure{
		Code:         string(e.Code),
		Message:      e.Message,
		Segment:      e.Segment,
		RetryAfterMs: uint64(max(e.RetryAfter, 0).Milliseconds()),
	}
}

func (f *Failure) error() (*Error, error) {
	if f.GetRetryAfterMs() > MaxRetryAfter {
		return nil, badFrame("Error: retry after %d ms is longer than a day", f.GetRetryAfterMs())
	}
	e := &Error{
		Code:       Code(f.GetCode()),
		Message:    f.GetMessage(),
		Segment:    f.GetSegment(),
		RetryAfter: time.Duration(f.GetRetryAfterMs()) * time.Millisecond,
	}
	return e, e.Validate()
}

func badFrame(format string, args ...any) *Error {
	return Errorf(CodeBadFrame, format, args...)
}
