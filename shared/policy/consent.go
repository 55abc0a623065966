package policy

import "fmt"

// appendConsent asks whether the user agreed to this message: a credit for a
// one-time template, the standing subscription for a long-term one, an
// agreement or something the user did for a template message. Fault and
// disaster warnings alone go unasked, and only as template messages.
func appendConsent(reasons []Reason, r *Request) []Reason {
	tpl := r.Template
	if r.Banned {
		reasons = append(reasons, Reason{
			Code:     RuleSuspended,
			Detail:   fmt.Sprintf("WeChat reported the template %s as banned when the user was asked; check it in the WeChat console.", tpl.label()),
			DetailZH: fmt.Sprintf("请求订阅时微信返回模板“%s”已被封禁（ban）；请到微信后台查看。", tpl.label()),
		})
	}
	switch {
	case tpl.Kind == OneTime:
		switch {
		case r.Revoked:
			reasons = append(reasons, revoked(r, RuleOneTimeCredit))
		case r.Credits <= 0 && (r.Scheduled || !r.TryAnyway):
			reasons = append(reasons, noCredit(r, RuleOneTimeCredit))
		default:
			return reasons
		}
		reasons = appendScheduleConsent(reasons, r)
	case tpl.Kind.lasting():
		switch {
		case r.Revoked:
			reasons = append(reasons, revoked(r, RuleLongTermActive))
		case !r.Active && (r.Scheduled || !r.TryAnyway):
			reasons = append(reasons, Reason{
				Code:     RuleLongTermActive,
				Detail:   fmt.Sprintf("The subscriber has not subscribed to %s; ask for it in the mini program after the user's own tap.", tpl.label()),
				DetailZH: fmt.Sprintf("用户未订阅“%s”；请在小程序内由用户点击后发起订阅。", tpl.label()),
			})
		default:
			return reasons
		}
		reasons = appendScheduleConsent(reasons, r)
	case tpl.Kind == TemplateMessage:
		reasons = appendTemplateConsent(reasons, r)
	default:
		reasons = append(reasons, Reason{
			Code:     RuleConsent,
			Detail:   fmt.Sprintf("The template %s has the unknown kind %q, so no consent can be checked; correct its configuration.", tpl.label(), tpl.Kind),
			DetailZH: fmt.Sprintf("模板“%s”的类型 %q 未知，无法核对用户同意；请更正配置。", tpl.label(), tpl.Kind),
		})
	}
	return reasons
}

// appendScheduleConsent says of a scheduled message without consent that none is needed at any other moment.
func appendScheduleConsent(reasons []Reason, r *Request) []Reason {
	if !r.Scheduled {
		return reasons
	}
	return append(reasons, Reason{
		Code:     RuleScheduleConsent,
		Detail:   "A schedule sends only to those whose consent stands at the moment of sending, not of creation; this subscriber's does not.",
		DetailZH: "定时任务只发给发送当时仍同意接收的用户，而非创建任务时；该用户此刻的同意已无效。",
	})
}

// appendTemplateConsent is consent for the old template messages.
func appendTemplateConsent(reasons []Reason, r *Request) []Reason {
	tpl := r.Template
	switch {
	case tpl.unasked(r.App) && !r.Scheduled:
		return reasons
	case r.Revoked:
		return append(reasons, revoked(r, RuleConsent))
	case r.Active:
		return reasons
	case r.Scheduled:
		return append(reasons, Reason{
			Code:     RuleFixedPeriod,
			Detail:   fmt.Sprintf("Periodic notices such as %s need the user's prior consent, and none is recorded.", tpl.label()),
			DetailZH: fmt.Sprintf("“%s”这类周期性通知须事先经用户同意，未见同意记录。", tpl.label()),
		})
	case r.Trigger != 0:
		return reasons
	default:
		return append(reasons, Reason{
			Code: RuleConsent,
			Detail: fmt.Sprintf("Nobody asked for %s: a template message answers something the user did (give it as trigger) or agreed to; "+
				"only fault and disaster warnings of a service account may go unasked.", tpl.label()),
			DetailZH: fmt.Sprintf("“%s”未经用户触发或同意：模板消息须由用户行为触发（以 trigger 注明）或经用户同意；"+
				"仅服务号的故障类、灾害警示警告类通知可主动下发。", tpl.label()),
		})
	}
}

func noCredit(r *Request, code string) Reason {
	return Reason{
		Code: code,
		Detail: fmt.Sprintf("The subscriber has no credit left for %s: one accept allows one message. Ask again in the mini program, "+
			"or set try_anyway if you know better than the ledger.", r.Template.label()),
		DetailZH: fmt.Sprintf("用户对“%s”已无可用的订阅次数：同意一次只能下发一条。请在小程序内再次请求订阅；"+
			"若确知仍有次数，可设置 try_anyway 尝试发送。", r.Template.label()),
	}
}

func revoked(r *Request, code string) Reason {
	return Reason{
		Code:     code,
		Detail:   fmt.Sprintf("The subscriber has refused %s; nothing is sent until they accept it again.", r.Template.label()),
		DetailZH: fmt.Sprintf("用户已拒收“%s”；在其重新同意之前不再发送。", r.Template.label()),
	}
}

// appendPreference keeps to what the subscriber muted in the app itself.
func appendPreference(reasons []Reason, r *Request) []Reason {
	if !r.Muted {
		return reasons
	}
	return append(reasons, Reason{
		Code:     RulePreference,
		Detail:   fmt.Sprintf("The subscriber has muted %s in their preferences.", r.Template.label()),
		DetailZH: fmt.Sprintf("用户已在通知偏好中关闭“%s”。", r.Template.label()),
	})
}
