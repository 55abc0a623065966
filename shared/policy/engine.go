package policy

import "sync"

// Engine answers for any number of apps. It holds nothing but compiled word
// lists: everything else comes with the question. The zero Engine is ready; one
// from NewEngine has the apps' own words checked and compiled beforehand. It
// must not be copied after use.
type Engine struct {
	apps sync.Map // app id → *matcher, for apps with words of their own
}

// baseMatcher holds the built-in lists, which most apps share.
var baseMatcher = sync.OnceValue(func() *matcher { return newMatcher(&App{}) })

// NewEngine compiles the built-in lists and the words of the given apps. The
// error names the app, the list and the word that cannot be used.
func NewEngine(apps ...*App) (*Engine, error) {
	e := &Engine{}
	baseMatcher()
	for _, app := range apps {
		if err := checkWords(app); err != nil {
			return nil, err
		}
		e.matcher(app)
	}
	return e, nil
}

// matcher is the one for the app. An app that NewEngine did not see gets its
// own at the first question; its words are taken to stay as they are.
func (e *Engine) matcher(app *App) *matcher {
	if len(app.Words) == 0 {
		return baseMatcher()
	}
	if m, ok := e.apps.Load(app.AppID); ok {
		return m.(*matcher)
	}
	m, _ := e.apps.LoadOrStore(app.AppID, newMatcher(app))
	return m.(*matcher)
}
