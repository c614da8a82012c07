package api

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxPackage bounds the body of a request for a package, in bytes.
const maxPackage = pack.MaxItems * 64

// packageOf takes {"items":["…"]} and answers a custody package of them. With "from"
// and "to" it is bytes from..to-1 of one item.
func (a *api) packageOf(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var wanted struct {
		Items []evidence.EvidenceID `json:"items"`
		From  uint64                `json:"from"`
		To    uint64                `json:"to"`
	}
	reader := json.NewDecoder(io.LimitReader(r.Body, maxPackage))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&wanted); err != nil || len(wanted.Items) == 0 || len(wanted.Items) > pack.MaxItems || (wanted.From > 0 || wanted.To > 0) && len(wanted.Items) > 1 {
		problem(w, http.StatusBadRequest, "The request cannot be read", `Send {"items":["id", …]} with 1 to 1000 ids of evidence items; with one, "from" and "to" may name bytes of it.`)
		return
	}
	items := export.Whole(wanted.Items...)
	items[0].From, items[0].To = wanted.From, wanted.To
	made, err := a.Packages.ForPerson(r.Context(), actor, items)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if err := made.Serve(w, r); err != nil {
		a.Log.ErrorContext(r.Context(), "sending a custody package", "error", err)
		panic(http.ErrAbortHandler) // what came is no package, and must not look like one
	}
}
