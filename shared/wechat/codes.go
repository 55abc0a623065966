package wechat

import (
	"cmp"
	"slices"
)

// Code is one errcode of the APIs that this package calls, in words. What to do about a code is decided in
// the core, not here.
type Code struct {
	Code int
	ZH   string
	EN   string
}

// Lookup finds the words for an errcode.
func Lookup(code int) (Code, bool) {
	i, found := slices.BinarySearchFunc(codes, code, func(c Code, code int) int { return cmp.Compare(c.Code, code) })
	if !found {
		return Code{}, false
	}
	return codes[i], true
}

// codes follows the tables of developers.weixin.qq.com (发送订阅消息, 获取稳定版接口调用凭据, 获取个人模板列表); 41030,
// 40165 and 43102–43106 come from older tables and from other SDKs. Ordered by code.
var codes = []Code{
	{-1, "系统繁忙，结果未知", "WeChat was busy; whether the message went out is not known"},
	{0, "已受理，等待下发", "accepted for delivery; the sent event tells the end"},
	{40001, "access_token 无效，或 AppSecret 不属于该账号", "the access token is invalid, or the AppSecret is not this account's"},
	{40002, "grant_type 错误", "wrong grant_type in a token call"},
	{40003, "openid 无效，或属于其他账号", "the openid is invalid or belongs to another app"},
	{40013, "appid 无效", "invalid appid"},
	{40014, "access_token 无效", "the access token is invalid"},
	{40037, "template_id 无效：账号不符、已删除或接口类型不符", "invalid template id: of another account, deleted, or meant for another API"},
	{40125, "AppSecret 错误", "the AppSecret is wrong: was it reset? update the configured secret"},
	{40164, "调用 IP 不在白名单", "the caller's IP address is not in the account's whitelist: add the one named in errmsg, or fix the egress address"},
	{40165, "小程序页面路径无效", "the mini program's page path is invalid or not in its released version"},
	{40243, "AppSecret 已被冻结", "the AppSecret is frozen: unfreeze it in the account's console"},
	{41001, "缺少 access_token", "the access token is missing"},
	{41002, "缺少 appid", "the appid is missing"},
	{41004, "缺少 AppSecret", "the AppSecret is missing"},
	{41030, "page 路径不正确，需为已发布版本中存在的页面", "the page does not exist in the released version of the mini program"},
	{42001, "access_token 已过期", "the access token has expired"},
	{43002, "需要 POST 请求", "the call must be a POST"},
	{43101, "用户未订阅、已拒收或一次性次数已用完", "the user has not subscribed, has refused, or the one-time grants are used up"},
	{43102, "不是订阅消息模板", "the template is not one for subscription messages"},
	{43104, "账号没有订阅消息权限", "the account may not send subscription messages"},
	{43106, "账号的订阅消息能力受到处罚", "the account's subscription messages are punished"},
	{43107, "订阅消息能力或模板已被封禁", "the account's subscription messages, or this template, are banned"},
	{43108, "同一时刻向同一用户下发了多条消息", "several messages were sent to this user at the same moment"},
	{45009, "已达当日调用上限", "the day's quota of this API is used up"},
	{45011, "调用太频繁，请稍候", "called too often in this minute"},
	{45168, "内容含敏感词", "the content holds sensitive words"},
	{47001, "请求体无法解析", "WeChat could not parse the request"},
	{47003, "模板参数不符合规则，errmsg 指明字段", "a value breaks its field's limits; errmsg names the field"},
	{48001, "接口未授权，请确认账号类型", "the account is not allowed to use this API"},
	{48004, "接口因违规被封禁", "the API is banned for this account for breaking the rules"},
	{50002, "用户受限，可能账号已被冻结", "the account is restricted or frozen"},
	{50004, "禁止使用 token 接口", "the account may not use the token API"},
	{50007, "账号已冻结", "the account is frozen"},
	{61007, "未授权给第三方平台", "the account has not authorised this API to the third-party platform"},
	{89503, "调用 IP 需要管理员确认", "the caller's IP address awaits the administrator's approval"},
	{89506, "该 IP 被管理员拒绝两次，24 小时内不能使用", "the administrator refused this IP address twice: blocked for 24 hours"},
	{89507, "该 IP 被管理员拒绝，1 小时内不能使用", "the administrator refused this IP address: blocked for one hour"},
	{200001, "系统繁忙，请重试", "WeChat was busy; try again"},
	{200011, "账号已被封禁，无法操作", "the account is banned from this"},
	{200013, "模板已被封禁", "the template is banned"},
}
