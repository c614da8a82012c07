package api

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/proto/evidence"
)

// clipOf takes {"from_us":…,"to_us":…,"reason":"…"} and answers the id of the clip.
func (a *api) clipOf(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil || a.Derive == nil {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	var wanted struct {
		From   int64  `json:"from_us"`
		To     int64  `json:"to_us"`
		Reason string `json:"reason"`
	}
	const most = int64(1000 * time.Hour / time.Microsecond)
	reader := json.NewDecoder(io.LimitReader(r.Body, 8<<10))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&wanted); err != nil || wanted.From < 0 || wanted.To <= wanted.From || wanted.To > most {
		problem(w, http.StatusBadRequest, "The request cannot be read", `Send {"from_us":70000000,"to_us":100000000,"reason":"…"}: microseconds from the recording's beginning, and what the clip is for.`)
		return
	}
	made, err := a.Derive.ForPerson(r.Context(), actor, derive.Clip{
		Original: id, From: time.Duration(wanted.From) * time.Microsecond, To: time.Duration(wanted.To) * time.Microsecond, Reason: wanted.Reason,
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Location", "/api/v1/items/"+made.String())
	a.answer(w, r, map[string]evidence.EvidenceID{"id": made})
}
