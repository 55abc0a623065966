package httpapi

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"sync"

	"go.yaml.in/yaml/v3"
)

// document describes every route; tests hold the handlers to it.
//
//go:embed openapi.yaml
var document []byte

// documentJSON is the document as it is served. It is made when it is first asked for: functions that start cold have
// better things to do.
var documentJSON = sync.OnceValues(func() ([]byte, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(document, &tree); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
})

func (a *api) openAPI(*call) (answer, error) {
	body, err := documentJSON()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: body}, nil
}
