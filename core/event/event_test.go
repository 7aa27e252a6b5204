package event

import (
	"fmt"
	"testing"
	"time"
)

func TestRecorderCountsEqualEvents(t *testing.T) {
	var seen int
	r := Recorder{On: func(Event) { seen++ }}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.Add(Event{Kind: Connect, Target: "a.example:443", Reason: "no", Time: at})
	for range 3 {
		r.Add(Event{Kind: Connect, Target: "b.example:443", Reason: "no"})
	}
	got := r.Report(7)
	if got.Code != 7 || len(got.Events) != 2 || seen != 4 {
		t.Fatalf("report = %+v, seen %d", got, seen)
	}
	if e := got.Events[0]; e.Target != "b.example:443" || e.Count != 3 {
		t.Errorf("first event = %+v, want the one that happened three times", e)
	}
	if e := got.Events[1]; !e.Time.Equal(at) || e.Count != 1 {
		t.Errorf("second event = %+v, want its own time", e)
	}
}

func TestRecorderIsBounded(t *testing.T) {
	var r Recorder
	for i := range maxDistinct + 50 {
		r.Add(Event{Kind: Connect, Target: fmt.Sprint(i)})
	}
	r.Add(Event{Kind: Connect, Target: "0"})  // known: counted, not dropped
	r.Add(Event{Kind: Later, Target: "last"}) // not pushed out by what the command tries
	got := r.Report(0)
	if len(got.Events) != maxDistinct+1 || got.Dropped != 50 || got.Events[0].Count != 2 {
		t.Errorf("kept %d, dropped %d, first %+v", len(got.Events), got.Dropped, got.Events[0])
	}
}
