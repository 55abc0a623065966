package httpapi

// function is a set of the deployables that serve a route.
type function int

const (
	inGrant function = 1 << iota
	inSend
	inManage

	inAll = inGrant | inSend | inManage
)

// route is one operation. A new one also needs its operation in openapi.yaml, and its path in serverless.yml and
// infra where it is not the manage function's.
type route struct {
	in      function
	method  string
	pattern string   // as in the OpenAPI document
	scopes  []string // one of them is needed; none: no API key
	serve   func(*api, *call) (answer, error)
}

func scopes(s ...string) []string { return s }

// routes is the whole surface. Of two patterns that one path fits, the first counts.
var routes = []route{
	{inAll, "GET", "/healthz", nil, (*api).healthz},
	{inAll, "GET", "/openapi.json", nil, (*api).openAPI},
	{inManage, "GET", "/console", nil, (*api).console},

	{inGrant, "GET", "/wechat/{appid}", nil, (*api).pushCheck},
	{inGrant, "POST", "/wechat/{appid}", nil, (*api).push},
	{inGrant, "POST", "/v1/apps/{appid}/grants", scopes(ScopeGrants), (*api).reportGrants},
	{inGrant, "GET", "/v1/apps/{appid}/prompts", scopes(ScopeGrants, ScopeRead), (*api).prompts},
	{inGrant, "GET", "/v1/apps/{appid}/subscribers/{openid}", scopes(ScopeGrants, ScopeRead), (*api).subscriber},
	{inGrant, "DELETE", "/v1/apps/{appid}/subscribers/{openid}", scopes(ScopeGrants), (*api).erase},
	{inGrant, "PUT", "/v1/apps/{appid}/subscribers/{openid}/preferences", scopes(ScopeGrants), (*api).setPreferences},

	{inSend, "POST", "/v1/apps/{appid}/sends", scopes(ScopeSends), (*api).createSend},
	{inSend, "GET", "/v1/apps/{appid}/sends", scopes(ScopeSends, ScopeRead), (*api).findSend},
	{inSend, "POST", "/v1/apps/{appid}/sends:batch", scopes(ScopeSends), (*api).batch},
	{inSend, "POST", "/v1/apps/{appid}/sends:check", scopes(ScopeSends, ScopeRead), (*api).check},
	{inSend, "GET", "/v1/apps/{appid}/sends/{id}", scopes(ScopeSends, ScopeRead), (*api).getSend},
	{inSend, "DELETE", "/v1/apps/{appid}/sends/{id}", scopes(ScopeSends), (*api).cancelSend},

	{inManage, "POST", "/v1/apps/{appid}/schedules", scopes(ScopeSchedules), (*api).createSchedule},
	{inManage, "GET", "/v1/apps/{appid}/schedules", scopes(ScopeSchedules, ScopeRead), (*api).listSchedules},
	{inManage, "POST", "/v1/apps/{appid}/schedules/{id}:pause", scopes(ScopeSchedules), (*api).pauseSchedule},
	{inManage, "POST", "/v1/apps/{appid}/schedules/{id}:resume", scopes(ScopeSchedules), (*api).resumeSchedule},
	{inManage, "GET", "/v1/apps/{appid}/schedules/{id}", scopes(ScopeSchedules, ScopeRead), (*api).getSchedule},
	{inManage, "PUT", "/v1/apps/{appid}/schedules/{id}", scopes(ScopeSchedules), (*api).replaceSchedule},
	{inManage, "DELETE", "/v1/apps/{appid}/schedules/{id}", scopes(ScopeSchedules), (*api).deleteSchedule},
	{inManage, "GET", "/v1/apps/{appid}/schedules/{id}/occurrences", scopes(ScopeSchedules, ScopeRead), (*api).occurrences},

	{inManage, "GET", "/v1/apps/{appid}/templates", scopes(ScopeSchedules, ScopeRead), (*api).listTemplates},
	{inManage, "POST", "/v1/apps/{appid}/templates:sync", scopes(ScopeSchedules), (*api).syncTemplates},
	{inManage, "POST", "/v1/apps/{appid}/templates:audit", scopes(ScopeSchedules, ScopeRead), (*api).audit},
	{inManage, "POST", "/v1/apps/{appid}/opens", scopes(ScopeGrants), (*api).reportOpens},
	{inManage, "GET", "/v1/apps/{appid}/stats", scopes(ScopeRead), (*api).stats},
	{inManage, "GET", "/v1/apps/{appid}/holds", scopes(ScopeSchedules, ScopeRead), (*api).holds},
	{inManage, "POST", "/v1/apps/{appid}/holds:resume", scopes(ScopeSchedules), (*api).resumeHolds},
}
