package submsg

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/policy"
)

// syncedFor is how long an instance trusts the templates it last read from the table.
const syncedFor = time.Minute

// synced reads the app's templates as they were last synced.
func (s *Service) synced(ctx context.Context, app *App) (map[string]SyncedTemplate, error) {
	if m, ok := s.layouts.get(app.Rules.AppID, s.Now(), syncedFor); ok {
		return m, nil
	}
	recs, err := s.listAll(ctx, TemplatePartition(app.Rules.AppID))
	if err != nil {
		return nil, err
	}
	m := make(map[string]SyncedTemplate, len(recs))
	for _, r := range recs {
		t := r.Body.(*SyncedTemplate)
		m[t.TemplateID] = *t
	}
	s.layouts.put(app.Rules.AppID, m, s.Now())
	return m, nil
}

// template finds a configured template. Where the configuration leaves its content out, or a field has a list of
// allowed values, what WeChat listed at the last sync completes it.
func (s *Service) template(ctx context.Context, app *App, idOrName string) (*Template, error) {
	t, err := app.Template(idOrName)
	if err != nil || t.whole {
		return t, err
	}
	all, err := s.synced(ctx, app)
	if err != nil {
		return nil, err
	}
	known, ok := all[t.ID]
	if !ok {
		if t.Content != "" {
			return t, nil
		}
		return nil, problem(CodeUnknownTemplate, "template", "the content of this template is not known: put it into the configuration, or run templates:sync once")
	}
	complete := *t
	if complete.Content == "" {
		complete.Title, complete.Content = known.Title, known.Content
		if complete.Layout, err = fields.Parse(known.Content); err != nil {
			return nil, problem(CodeUnknownTemplate, "template", "the content WeChat lists for this template cannot be read: "+err.Error())
		}
	}
	if len(known.Enums) > 0 {
		complete.Layout = complete.Layout.WithEnums(known.Enums)
	}
	return &complete, nil
}

// Templates lists the app's templates as configured, and what WeChat listed at the last sync.
func (s *Service) Templates(ctx context.Context, appid string) ([]Template, []SyncedTemplate, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, nil, err
	}
	all, err := s.synced(ctx, app)
	if err != nil {
		return nil, nil, err
	}
	list := make([]SyncedTemplate, 0, len(all))
	for _, t := range all {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b SyncedTemplate) int { return strings.Compare(a.TemplateID, b.TemplateID) })
	return app.Templates, list, nil
}

// SyncTemplates asks WeChat for the account's templates and keeps them. WeChat allows few of these calls a day, so it
// happens on request only.
func (s *Service) SyncTemplates(ctx context.Context, appid string) ([]SyncedTemplate, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	listed, err := s.WeChat.Templates(ctx, appid)
	if err != nil {
		return nil, problem(CodeWeChatFailed, "", "WeChat did not list the templates: "+err.Error())
	}
	kept, err := s.listAll(ctx, TemplatePartition(appid))
	if err != nil {
		return nil, err
	}
	versions := make(map[string]Version, len(kept))
	for _, r := range kept {
		versions[r.Body.(*SyncedTemplate).TemplateID] = r.Version
	}
	fresh := make(map[string]SyncedTemplate, len(listed))
	for _, t := range listed {
		t.AppID, t.SyncedAt = appid, s.now()
		if _, err := s.Store.Save(ctx, Record{Key: TemplateKey(appid, t.TemplateID), Version: versions[t.TemplateID], Body: &t}); lost(err) {
			return nil, err
		}
		delete(versions, t.TemplateID)
		fresh[t.TemplateID] = t
	}
	for id, v := range versions {
		if err := s.Store.Delete(ctx, TemplateKey(appid, id), v); lost(err) {
			return nil, err
		}
	}
	s.layouts.put(app.Rules.AppID, fresh, s.Now())
	return listed, nil
}

// Audit holds templates against the rules for titles and contents: those given, or the configured ones where
// none are.
func (s *Service) Audit(appid string, given []policy.Template) ([]policy.Finding, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	if given == nil {
		for _, t := range app.Templates {
			given = append(given, t.Template)
		}
	}
	var all []policy.Finding
	for i, t := range given {
		others := slices.Concat(given[:i:i], given[i+1:])
		all = append(all, policy.Audit(app.Rules, t, t.Kind == policy.TemplateMessage, others)...)
	}
	return all, nil
}
