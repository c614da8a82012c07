package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/proto/evidence"
)

type packageBody struct {
	Items []evidence.EvidenceID `json:"items" required:"true" jsonschema:"1 to 1000 ids"`
	From  uint64                `json:"from" jsonschema:"first byte, of one item; absent: the whole of it"`
	To    uint64                `json:"to" jsonschema:"byte after the last"`
}

func (a *api) packageOf(w http.ResponseWriter, r *Request, wanted *packageBody) error {
	if n := len(wanted.Items); n == 0 || n > pack.MaxItems || (wanted.From > 0 || wanted.To > 0) && n > 1 {
		return unreadable(fmt.Sprintf("Send 1 to %d ids in items; with one, from and to may name bytes of it.", pack.MaxItems))
	}
	items := export.Whole(wanted.Items...)
	items[0].From, items[0].To = wanted.From, wanted.To
	made, err := a.Packages.ForPerson(r.Context(), r.Actor, items, nil)
	if err != nil {
		return err
	}
	return made.Serve(w, r.Request)
}

type clipBody struct {
	From   int64  `json:"from_us" jsonschema:"microseconds from the recording's beginning"`
	To     int64  `json:"to_us" required:"true"`
	Reason string `json:"reason" required:"true" jsonschema:"what the clip is for"`
}

type clipAnswer struct {
	ID evidence.EvidenceID `json:"id"`
}

// clipOf answers when the clip is made.
func (a *api) clipOf(r *Request, wanted *clipBody) (clipAnswer, error) {
	const most = int64(1000 * time.Hour / time.Microsecond)
	id, err := r.item()
	if err != nil || a.Derive == nil {
		return clipAnswer{}, notThere
	}
	if wanted.From < 0 || wanted.To <= wanted.From || wanted.To > most {
		return clipAnswer{}, unreadable("from_us and to_us are microseconds from the recording's beginning, the first one smaller.")
	}
	made, err := a.Derive.ForPerson(r.Context(), r.Actor, derive.Clip{
		Original: id, From: time.Duration(wanted.From) * time.Microsecond, To: time.Duration(wanted.To) * time.Microsecond, Reason: wanted.Reason,
	})
	if err != nil {
		return clipAnswer{}, err
	}
	r.AnswerHeader().Set("Location", "/api/v1/items/"+made.String())
	return clipAnswer{made}, nil
}
