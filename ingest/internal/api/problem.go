package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
)

// Problem is an error as RFC 9457 wants it said. A route may return one.
type Problem struct {
	Type   string `json:"type"` // about:blank: the status says it all
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail" jsonschema:"for people: what was wrong and what to do"`

	retry int // seconds; 0: nothing is said
}

// Error implements error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

func refuse(code int, title, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: title, Status: code, Detail: detail}
}

func unreadable(detail string) *Problem {
	return refuse(http.StatusBadRequest, "The request cannot be read", detail)
}

// known are the errors of services that people are told as they are.
var known = []struct {
	err    error
	code   int
	title  string
	detail string // "": the error's own words, with what wraps it
}{
	{auth.ErrNoSession, http.StatusUnauthorized, "Not signed in", "Sign in at /sign-in and send the session cookie, or a token as Authorization: Bearer."},
	{auth.ErrToken, http.StatusUnauthorized, "Token not taken", auth.ErrToken.Error()},
	{auth.ErrTwoWays, http.StatusBadRequest, "Who asks", auth.ErrTwoWays.Error()},
	{auth.ErrTokenAct, http.StatusForbidden, "Not with a token", auth.ErrTokenAct.Error()},
	{auth.ErrNoTokens, http.StatusForbidden, "Not with a program", auth.ErrNoTokens.Error()},
	{auth.ErrManyTokens, http.StatusConflict, "Too many tokens", auth.ErrManyTokens.Error()},
	{auth.ErrTokenName, http.StatusConflict, "The name is taken", auth.ErrTokenName.Error()},
	{auth.ErrMustEnrol, http.StatusForbidden, "Set up a second factor first", auth.ErrMustEnrol.Error()},
	{auth.ErrFreshFactor, http.StatusForbidden, "Show a factor again", auth.ErrFreshFactor.Error() + ". Send it to /api/v1/me/confirm, then ask again."},
	{auth.ErrPlace, http.StatusForbidden, "Not from here", auth.ErrPlace.Error()},
	{auth.ErrDirectoryDown, http.StatusServiceUnavailable, "The directory does not answer", auth.ErrDirectoryDown.Error()},
	{auth.ErrDirectoryPassword, http.StatusConflict, "No password here", auth.ErrDirectoryPassword.Error()},
	{auth.ErrBusy, http.StatusServiceUnavailable, "Busy", auth.ErrBusy.Error()},
	{auth.ErrFactor, http.StatusForbidden, "Not accepted", "A password or code does not fit, was used already, or an account is locked; the try is on record. Where there is a second factor, a password does not do."},
	{auth.ErrSignIn, http.StatusForbidden, "Not accepted", "A password or code does not fit, was used already, or an account is locked; the try is on record. Where there is a second factor, a password does not do."},
	{auth.ErrSecondFactor, http.StatusForbidden, "Not accepted", auth.ErrSecondFactor.Error()},
	{auth.ErrSecondPerson, http.StatusConflict, "It takes a second person", ""},
	{auth.ErrManyRequests, http.StatusConflict, "Too many requests", auth.ErrManyRequests.Error()},
	{auth.ErrBeyond, http.StatusForbidden, "Not allowed", ""},
	{auth.ErrBeyondCase, http.StatusForbidden, "Not allowed", ""},
	{cases.ErrClosed, http.StatusConflict, "Nothing was changed", cases.ErrClosed.Error()},
	{auth.ErrOwn, http.StatusConflict, "Nothing was changed", ""},
	{auth.ErrLastManager, http.StatusConflict, "Nothing was changed", ""},
	{auth.ErrRule, http.StatusUnprocessableEntity, "Not taken", ""},
	{auth.ErrAppCode, http.StatusUnprocessableEntity, "Another code", auth.ErrAppCode.Error()},
	{auth.ErrLastFactor, http.StatusConflict, "The only factor", auth.ErrLastFactor.Error()},
	{auth.ErrNoPhones, http.StatusConflict, "No codes by phone", auth.ErrNoPhones.Error()},
	{auth.ErrPhonePowers, http.StatusConflict, "Not for you", auth.ErrPhonePowers.Error()},
	{auth.ErrPhoneNumber, http.StatusUnprocessableEntity, "No number", auth.ErrPhoneNumber.Error()},
	{auth.ErrPhoneChannel, http.StatusUnprocessableEntity, "Neither sms nor call", auth.ErrPhoneChannel.Error()},
	{auth.ErrPhoneMany, http.StatusTooManyRequests, "Too many codes", auth.ErrPhoneMany.Error()},
	{auth.ErrPhoneGateway, http.StatusServiceUnavailable, "Not sent", auth.ErrPhoneGateway.Error()},
	{auth.ErrAppExists, http.StatusConflict, "Set up already", auth.ErrAppExists.Error()},
	{auth.ErrNoFactor, http.StatusConflict, "No second factor", auth.ErrNoFactor.Error()},
	{auth.ErrPending, http.StatusConflict, "No longer open", auth.ErrPending.Error()},
	{auth.ErrForbidden, http.StatusForbidden, "Not allowed", auth.ErrForbidden.Error()},

	{settings.ErrUnknown, http.StatusNotFound, "No such setting", settings.ErrUnknown.Error()},
	{settings.ErrConflict, http.StatusConflict, "Not changed", ""},
	{settings.ErrLockout, http.StatusConflict, "Not changed", ""},
	{settings.ErrValue, http.StatusUnprocessableEntity, "Not changed", ""},
	{settings.ErrReason, http.StatusUnprocessableEntity, "Not changed", ""},

	{cameras.ErrInput, http.StatusBadRequest, "This cannot be taken", ""},
	{annotate.ErrInput, http.StatusUnprocessableEntity, "Not kept", ""},
	{annotate.ErrNotArrived, http.StatusConflict, "Nothing was changed", annotate.ErrNotArrived.Error()},
	{fleet.ErrInput, http.StatusUnprocessableEntity, "This cannot be taken", ""},
	{fleet.ErrInUse, http.StatusConflict, "Nothing was changed", fleet.ErrInUse.Error()},
	{fleet.ErrTokenGone, http.StatusConflict, "Not open any more", fleet.ErrTokenGone.Error()},
	{uplink.ErrInput, http.StatusBadRequest, "This cannot be taken", ""},
	{ErrRotating, http.StatusConflict, "Under way", ErrRotating.Error()},
	{keys.ErrNoKey, http.StatusNotFound, "No such key", "The agency has no key pair of this name."},

	{freeze.ErrInput, http.StatusUnprocessableEntity, "Not frozen", ""},
	{webhook.ErrInput, http.StatusUnprocessableEntity, "Not kept", ""},
	{webhook.ErrName, http.StatusConflict, "Not kept", ""},
	{webhook.ErrMany, http.StatusConflict, "Not kept", ""},

	{catalog.ErrCursor, http.StatusBadRequest, "The search cannot be read", "cursor: take it from the next of the page before, with the same search"},
	{inspection.ErrBroad, http.StatusServiceUnavailable, "The search took too long", inspection.ErrBroad.Error()},
	{inspection.ErrPending, http.StatusServiceUnavailable, "Not signed yet", inspection.ErrPending.Error()},
	{inspection.ErrUnrecorded, http.StatusServiceUnavailable, "The custody record cannot be written", inspection.ErrUnrecorded.Error()},

	{reading.ErrNoReceipt, http.StatusNotFound, "No receipt yet", reading.ErrNoReceipt.Error()},
	{reading.ErrUnrecorded, http.StatusServiceUnavailable, "The custody record cannot be written", reading.ErrUnrecorded.Error()},
	{export.ErrNotStored, http.StatusConflict, "Not in the store", export.ErrNotStored.Error()},
	{export.ErrRange, http.StatusBadRequest, "No such part", export.ErrRange.Error()},
	{export.ErrBusy, http.StatusServiceUnavailable, "Too many packages at once", export.ErrBusy.Error()},
	{export.ErrUnlogged, http.StatusServiceUnavailable, "The custody log cannot be written", export.ErrUnlogged.Error()},
	{export.ErrUnproven, http.StatusInternalServerError, "It does not prove itself", export.ErrUnproven.Error()},
	{derive.ErrBusy, http.StatusServiceUnavailable, "Another clip is being made", derive.ErrBusy.Error()},
	{derive.ErrLong, http.StatusBadRequest, "Too long", derive.ErrLong.Error()},
	{derive.ErrReason, http.StatusBadRequest, "No reason", derive.ErrReason.Error()},

	{catalog.ErrFull, http.StatusInsufficientStorage, "The server’s disk is full", catalog.ErrFull.Error()},
	{catalog.ErrConflict, http.StatusConflict, "It is not in a state that allows this", "Somebody may have been faster, or it overlaps what is there: read it again."},
}

// problemOf puts an error of a route into words. What is not for people is said to be
// the server's, and stays in its log.
func problemOf(err error, missing string) *Problem {
	var said *Problem
	var wait *auth.TooManyError
	var person *auth.PersonError
	var query *inspection.QueryError
	var refused *Refused
	var decision *auth.DecisionError
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &refused):
		return refuse(http.StatusConflict, "Refused", refused.Error())
	case errors.As(err, &decision):
		return refuse(http.StatusConflict, "Not decided", decision.Error())
	case errors.As(err, &wait):
		p := refuse(http.StatusTooManyRequests, "Too many tries", wait.Error())
		p.retry = int(wait.RetryAfter.Seconds()) + 1
		return p
	case errors.As(err, &person):
		return refuse(http.StatusUnprocessableEntity, "This cannot be taken", person.Field+": "+person.Text)
	case errors.As(err, &query):
		return refuse(http.StatusBadRequest, "The search cannot be read", query.Error())
	}
	for _, k := range known {
		if !errors.Is(err, k.err) {
			continue
		}
		p := refuse(k.code, k.title, k.detail)
		if p.Detail == "" {
			p.Detail = err.Error()
		}
		if k.code == http.StatusServiceUnavailable {
			p.retry = 1
		}
		return p
	}
	if errors.Is(err, catalog.ErrNotFound) && missing != "" {
		return refuse(http.StatusNotFound, "Not found", missing)
	}
	return refuse(http.StatusInternalServerError, "This did not work", "Something on the server failed, and its log says what. Nothing was changed.")
}

// fail answers an error as a problem.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error, missing string) {
	if r.Context().Err() != nil {
		return // nobody is there to answer
	}
	if waits(w, err) {
		return
	}
	p := problemOf(err, missing)
	if p.Status >= 500 {
		a.Log.ErrorContext(r.Context(), "answering a request", "path", r.URL.Path, "error", err)
	}
	p.write(w)
}

func (p *Problem) write(w http.ResponseWriter) {
	body, _ := json.Marshal(p) // strings and a number always marshal
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retry))
	}
	if p.Status == http.StatusUnauthorized { // RFC 9110 section 15.5.2, RFC 6750 section 3
		w.Header().Set("WWW-Authenticate", `Bearer realm="Sealdock"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	w.Write(body)
}

// writeJSON sends v as JSON.
func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
	return nil
}

// clip bounds hostile text in an answer.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "")
}
