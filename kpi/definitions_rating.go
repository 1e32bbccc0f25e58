package kpi

import "github.com/claimflow/claimflow/mirror"

const ratingDimensions = "The agent is the one who was assigned and the queue that of the time when the rating was offered."

var ratingDefinitions = []Definition{
	{
		ID: "csat", Title: "CSAT", Unit: Percent, Subject: "conversations",
		Meaning:    "The share of answers to satisfaction surveys with a score of 4 or 5. " + ratingDimensions,
		Population: "Answers to surveys of type Csat, with scores from 1 to 5.",
		Missing:    "Never: an answer without a score is none.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Source:     "Dixa, metric \"csat\" and record \"ratings\"",
		Dixa:       "csat",
		plan: answers(mirror.RatingCSAT, func(o *Observation) (int, bool) {
			return one(o.Values[0].N >= 4), o.Values[0].Known
		}),
	},
	responseRate("csat_response_rate", "CSAT response rate", mirror.RatingCSAT),
	{
		ID: "nps", Title: "NPS", Unit: Score, Subject: "conversations",
		Meaning:    "The net promoter score: the percentage of scores of 9 and 10, minus the percentage of scores from 0 to 6. " + ratingDimensions,
		Population: "Answers to surveys of type Nps, with scores from 0 to 10.",
		Missing:    "Never: an answer without a score is none.",
		Aggregates: []Aggregate{AggregateNet},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Source:     "The usual definition of the net promoter score; Dixa's record \"ratings\"",
		plan: answers(mirror.RatingNPS, func(o *Observation) (int, bool) {
			return one(o.Values[0].N >= 9) - one(o.Values[0].N <= 6), o.Values[0].Known
		}),
	},
	responseRate("nps_response_rate", "NPS response rate", mirror.RatingNPS),
	{
		ID: "thumbs", Title: "Thumbs up", Unit: Percent, Subject: "conversations",
		Meaning:    "The share of answers with a thumb up. " + ratingDimensions,
		Population: "Answers to surveys of type ThumbsUpOrDown, with scores 0 and 1.",
		Missing:    "Never: an answer without a score is none.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Source:     "Dixa, record \"ratings\"",
		plan: answers(mirror.RatingThumbs, func(o *Observation) (int, bool) {
			return one(o.Values[0].N >= 1), o.Values[0].Known
		}),
	},
	responseRate("thumbs_response_rate", "Thumbs response rate", mirror.RatingThumbs),
}

// answers is the plan of a figure of the answers to surveys of a type.
func answers(ratingType string, part func(*Observation) (int, bool)) plan {
	return plan{
		shape: shapeShare, table: Events, dims: byEvent, kinds: []mirror.EventKind{mirror.KindRated},
		where:  []Condition{{Column: EventType, Operator: OneOf, Texts: []string{ratingType}}},
		values: []Column{EventValue}, part: part,
	}
}

// responseRate is the response rate of surveys of a type.
func responseRate(id, title, ratingType string) Definition {
	return Definition{
		ID: id, Title: title, Unit: Percent, Subject: "conversations",
		Meaning: "The share of offered surveys that were answered, whenever the answer came. An answer belongs to the latest unanswered offer of its conversation before it. " +
			ratingDimensions,
		Population: "Surveys of type " + ratingType + " that were offered, by the date of the offer.",
		Missing:    "Never: an offer of which there is no record does not count, nor does an answer to it.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Source:     "Applied Labs, \"CSAT response rate\"; the cohort is Claimflow's",
		plan: plan{
			shape: shapeAnswered, table: Events, dims: byEvent, kinds: []mirror.EventKind{mirror.KindRatingOffered},
			where: []Condition{{Column: EventType, Operator: OneOf, Texts: []string{ratingType}}},
		},
	}
}
