package catalog

// Annotation is what an agency says of an item, beside what was recorded: it changes
// neither the recording nor anything that is signed of it.
type Annotation struct {
	Title    string
	Note     string
	Category string   // in place of the one that the camera claims; "": that one counts
	Tags     []string // in lower case and order, each once
	Incident string   // number of the incident, as the agency writes it
	Place    string
}

// ClaimedCategory is the category that the camera claims. Item.Category is the one that
// counts, for lists and for grants.
func (i *Item) ClaimedCategory() string {
	if i.Annotation.Category == "" {
		return i.Category
	}
	return i.claimedCategory
}

// SetClaimedCategory is for whoever reads items from the database.
func (i *Item) SetClaimedCategory(category string) { i.claimedCategory = category }
