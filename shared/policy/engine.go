package policy

import "sync"

// Engine answers for any number of apps. It holds nothing but compiled word
// lists: everything else comes with the question. The lists are compiled for the
// first message that is held against them, which takes some 3 ms: a function that
// never sees a message starts without. The zero Engine is ready; one from
// NewEngine has the apps' own words checked beforehand. It must not be copied
// after use.
type Engine struct {
	apps sync.Map // app id → *matcher, for apps with words of their own
}

// baseMatcher holds the built-in lists, which most apps share.
var baseMatcher = sync.OnceValue(func() *matcher { return newMatcher(&App{}) })

// NewEngine checks the words of the given apps. The error names the app, the list
// and the word that cannot be used.
func NewEngine(apps ...*App) (*Engine, error) {
	for _, app := range apps {
		if err := checkWords(app); err != nil {
			return nil, err
		}
	}
	return &Engine{}, nil
}

// matcher is the one for the app. An app with words of its own gets its own at the
// first question; the words are taken to stay as they are.
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
