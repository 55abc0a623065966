package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"
)

// described is the document as tests use it: objects have no other members than those described, so that an answer
// with a member that nobody wrote down fails.
var described = sync.OnceValues(func() (*openapi3.T, error) {
	raw, err := documentJSON()
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	closeObjects(tree["components"].(map[string]any)["schemas"])
	if raw, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	plainText := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		b, err := io.ReadAll(body)
		return string(b), err
	}
	for _, kind := range []string{"text/html", "text/xml", "application/xml"} {
		openapi3filter.RegisterBodyDecoder(kind, plainText)
	}
	return doc, nil
})

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, open := v["additionalProperties"]; !open && v["type"] == "object" && v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

func document31(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// holdToDocument checks one request and its answer against the document.
func holdToDocument(t testing.TB, r *http.Request, body []byte, rec *httptest.ResponseRecorder) {
	t.Helper()
	doc := document31(t)
	p, params := newRouter(inAll).find(r.URL)
	method := r.Method
	if method == http.MethodHead {
		return
	}
	if p == nil || p.methods[method] == nil || bytes.Contains(rec.Body.Bytes(), []byte(`"code":"no_route"`)) {
		return // nothing is described there; what is answered is a problem, and tests look at it
	}
	item := doc.Paths.Value(p.pattern)
	if item == nil || item.GetOperation(method) == nil {
		t.Fatalf("%s %s is not in the document", method, p.pattern)
	}
	options := &openapi3filter.Options{
		MultiError: true, IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation()},
	}
	again := r.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Options: options,
		Route: &routers.Route{Spec: doc, Path: p.pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)},
	}
	ill := bytes.Contains(rec.Body.Bytes(), []byte(`"problem":`)) // a batch with an item that the document does not describe
	if rec.Code < 300 && !ill && len(body) < 100_000 && !strings.HasPrefix(p.pattern, "/wechat/") {
		if len(body) > 0 {
			again.Header.Set("Content-Type", "application/json") // an absent one, and +json, are taken as that
		}
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			t.Errorf("%s %s was taken, but the document does not describe this request: %s\n%s", method, p.pattern, brief(err), body)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: options}
	out.SetBodyBytes(rec.Body.Bytes())
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		t.Errorf("%s %s: the document does not describe this answer, %d: %s\n%s", method, p.pattern, rec.Code, brief(err), rec.Body)
	}
	if rec.Code >= 400 && rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: an answer %d of type %q", method, p.pattern, rec.Code, rec.Header().Get("Content-Type"))
	}
}

// brief is the first line of an error: the schemas that follow it are in the document.
func brief(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func TestTheDocumentIsValidOpenAPIWithItsExamples(t *testing.T) {
	doc := document31(t)
	if !doc.IsOpenAPI31OrLater() {
		t.Errorf("it says it is OpenAPI %s", doc.OpenAPI)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
}

func TestTheDocumentHasTheRoutesThatAreServedAndNoOther(t *testing.T) {
	var served, described []string
	for _, r := range routes {
		served = append(served, r.method+" "+r.pattern)
	}
	doc := document31(t)
	for pattern, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+pattern)
		}
	}
	slices.Sort(served)
	slices.Sort(described)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("routes (-) and document (+) differ:\n%s", diff)
	}
}

func TestTheDocumentNamesTheScopesOfEachRoute(t *testing.T) {
	doc := document31(t)
	for _, r := range routes {
		operation := doc.Paths.Value(r.pattern).GetOperation(r.method)
		if open := operation.Security != nil && len(*operation.Security) == 0; open != (r.scopes == nil) {
			t.Errorf("%s %s: the document says it needs no key: %v", r.method, r.pattern, open)
		}
		want := "Scope: `" + strings.Join(r.scopes, "` or `") + "`."
		if r.scopes != nil && !strings.Contains(operation.Description, want) {
			t.Errorf("%s %s: the description lacks %q", r.method, r.pattern, want)
		}
	}
}

// coreCodes reads the problem codes of the core from its source, so that one that is added there is missed here.
func coreCodes(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../submsg/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" {
			return true
		}
		for _, v := range spec.Values {
			code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) < 15 {
		t.Fatalf("only %d codes were found in the core's source", len(codes))
	}
	return codes
}

func allCodes() []string {
	var codes []string
	for code := range kinds {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	return codes
}

func TestEveryCodeHasAStatusAndStandsInTheDocument(t *testing.T) {
	known := allCodes()
	for _, code := range coreCodes(t) {
		if !slices.Contains(known, code) {
			t.Errorf("the core's code %s has no status here", code)
		}
	}
	var listed []string
	for _, v := range document31(t).Components.Schemas["Code"].Value.Enum {
		listed = append(listed, v.(string))
	}
	slices.Sort(listed)
	if diff := cmp.Diff(known, listed); diff != "" {
		t.Errorf("codes (-) and document (+) differ:\n%s", diff)
	}
}

func TestTheDocumentIsServedWithoutAKey(t *testing.T) {
	w := newWorld(t)
	doc := w.as("", "GET", "/openapi.json", nil).want(200)
	if doc.text("openapi") != "3.1.0" {
		t.Errorf("openapi is %q", doc.text("openapi"))
	}
}
