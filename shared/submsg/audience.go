package submsg

import (
	"context"
	"math"
	"slices"
)

// place is one place in an audience: a long-term template, or a topic in it.
type place struct {
	templateID, topic string
	generation        int
}

// places lists the audience entries that a subscriber must have.
func places(app *App, sub *Subscriber) []place {
	var all []place
	for i := range sub.Subscriptions {
		s := &sub.Subscriptions[i]
		t, err := app.Template(s.TemplateID)
		if err != nil || !t.LongTerm() || s.State != StateActive {
			continue
		}
		all = sub.placesIn(all, s.TemplateID, s.Generation)
	}
	return all
}

// placesIn appends a template's places: among all of its subscribers, and in each topic.
func (sub *Subscriber) placesIn(all []place, templateID string, generation int) []place {
	all = append(all, place{templateID, "", generation})
	for _, topic := range sub.Topics {
		all = append(all, place{templateID, topic, generation})
	}
	return all
}

// everyPlace lists every audience entry that the subscriber may have or have had, whatever its subscriptions are now.
func everyPlace(app *App, sub *Subscriber) []place {
	var all []place
	for i := range app.Templates {
		if t := &app.Templates[i]; t.LongTerm() {
			all = sub.placesIn(all, t.ID, math.MaxInt)
		}
	}
	return all
}

// joinAudiences writes the entries that next needs and was has not, before next is saved: a stale entry is
// harmless, a missing one is not.
func (s *Service) joinAudiences(ctx context.Context, app *App, was, next *Subscriber) error {
	had := places(app, was)
	for _, st := range places(app, next) {
		if slices.Contains(had, st) {
			continue
		}
		key := AudienceKey(next.AppID, st.templateID, st.topic, next.OpenID)
		for try := 0; ; try++ {
			recs, err := s.Store.Load(ctx, key)
			if err != nil {
				return err
			}
			if e, ok := recs[0].Body.(*AudienceEntry); ok && e.Generation >= st.generation {
				break // written by a newer accept; an older one must not take its place
			}
			_, err = s.Store.Save(ctx, Record{Key: key, Version: recs[0].Version, Body: &AudienceEntry{OpenID: next.OpenID, Generation: st.generation}})
			if err == nil {
				break
			}
			if err := again(ctx, try, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveAudiences removes the entries that was had and next has not, after next was saved: only those that
// are still of the generation that ended, so that a late removal cannot undo a new accept.
func (s *Service) leaveAudiences(ctx context.Context, was, next *Subscriber) error {
	app, err := s.Apps.App(was.AppID)
	if err != nil || was == next {
		return err
	}
	has := places(app, next)
	for _, st := range places(app, was) {
		if slices.ContainsFunc(has, func(h place) bool { return h.templateID == st.templateID && h.topic == st.topic }) {
			continue
		}
		if err := s.removeEntry(ctx, was.AppID, was.OpenID, st); err != nil {
			s.Log.WarnContext(ctx, "stale audience entry stays; it is harmless", "appid", was.AppID, "template_id", st.templateID, "error", err)
		}
	}
	return nil
}

func (s *Service) removeEntry(ctx context.Context, appid, openid string, st place) error {
	key := AudienceKey(appid, st.templateID, st.topic, openid)
	recs, err := s.Store.Load(ctx, key)
	if err != nil {
		return err
	}
	e, ok := recs[0].Body.(*AudienceEntry)
	if !ok || e.Generation > st.generation {
		return nil
	}
	return s.deleteAll(ctx, recs)
}
