package fields_test

import (
	"fmt"

	"github.com/yuexin-dev/yuexin/shared/fields"
)

func ExampleLayout_Check() {
	layout, err := fields.Parse("账单月份:{{time1.DATA}}\n温馨提示:{{thing2.DATA}}")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, problem := range layout.Check(map[string]string{
		"time1":  "2026年5月",
		"thing2": "您的话费账单已经生成，请在本月二十日前缴清",
	}) {
		fmt.Println(problem.Code, problem.Detail)
	}
	// Output: too_long thing2: 21 characters, the limit of thing is 20
}

func ExampleLayout_Fit() {
	layout, err := fields.Parse("温馨提示:{{thing1.DATA}}")
	if err != nil {
		fmt.Println(err)
		return
	}
	fitted, problems := layout.Fit(map[string]string{"thing1": "您的话费账单已经生成，\n请在本月二十日前缴清"})
	fmt.Println(fitted["thing1"], len(problems))
	// Output: 您的话费账单已经生成， 请在本月二十日… 0
}
