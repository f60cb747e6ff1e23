"""What errors say to people, in their language. Codes are for programs and never change.

The code speaks English; this table has the Chinese. ``{}`` stands for whatever the message puts there. A test
collects the messages from the code and fails while one is missing here.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import HTTPConnection

from resolvers.errors import DomainError
from subscriptions.headers import headers_of

ENGLISH = "en"

CHINESE: dict[str, str] = {
    # What is sent
    "Some of the input cannot be accepted": "部分内容无法接受",
    "Must not be empty": "不能为空",
    "Must be one line": "只能有一行",
    "Must be one of {}": "只能是以下之一:{}",
    "At most {}": "最多{}个",
    "At most 100": "最多100个",
    "At most {} characters": "最多{}个字",
    "At least {} characters": "至少{}个字",
    "{} to {} characters": "{}到{}个字",
    "At most 1 MiB": "最大1 MiB",
    "Holds characters that are not text": "含有不是文字的字符",
    "Is not the id of a {}": "不是{}的编号",
    "Is out of range": "超出范围",
    "Needs a time zone": "需要注明时区",
    "Must be later than the start, and in the future": "必须晚于开始时间,并且在将来",
    "Give exactly one of first and last": "first 和 last 必须且只能给一个",
    "{} must be from 1 to {}": "{}必须在1到{}之间",
    "This is not a cursor": "这不是游标",
    "This cursor belongs to another list": "这个游标属于另一个列表",
    "This cursor belongs to another stream": "这个游标属于另一个订阅",
    "This idempotency key was used for something else": "这个幂等键已经用于别的操作",
    # Whether it may be seen and done
    "There is no such thing, or you may not see it": "没有这项内容,或者您无权查看",
    "You may not do this": "您不能这样做",
    "Sign in first": "请先登录",
    "Too often; try again in {} seconds": "操作太频繁,请{}秒后再试",
    "You may no longer follow this": "您不能再订阅这项内容",
    "Only verified residents and officers of this community may write here": (
        "只有本社区的实名居民和工作人员可以在这里发言"
    ),
    # Groups
    "Only verified residents and officers of this community may found a group": (
        "只有本社区的实名居民和工作人员可以创建小组"
    ),
    "The group has changed meanwhile": "小组刚刚有了变化",
    "Only its owner may do this": "只有组长可以这样做",
    "Only its owner and its moderators may do this": "只有组长和管理员可以这样做",
    "Only its members may do this": "只有小组成员可以这样做",
    "Only its members may follow this group": "只有小组成员可以订阅这个小组",
    "Only its members may post in this group": "只有小组成员可以在小组里发帖",
    "The group rests: nobody posts, comments or joins": "小组已归档,不能发帖、评论或加入",
    "This group is joined by invitation only": "这个小组只能受邀加入",
    "Answer each of the group's questions": "请回答小组的每个问题",
    "Is a member already": "已经是成员了",
    "Is no member of the group": "不是小组成员",
    "Is the owner": "是组长",
    "The owner hands the group over before leaving": "组长需先转让小组才能退出",
    "The group has been handed over meanwhile": "小组刚刚已经转让",
    "Is the group's own in a group, and elsewhere not its members'": "小组帖子的可见范围由小组决定",
    # Signing in
    "Is not the code, or no longer good; ask for a new one": "验证码不对或已失效,请重新获取",
    "Give it, or sign in with a code first": "请提供原密码,或先用验证码登录",
    "Is not the password": "密码不对",
    "Phone or password is wrong": "手机号或密码不对",
    "The access token has expired; refresh the session": "访问令牌已过期,请刷新会话",
    "The access token is not valid": "访问令牌无效",
    "The refresh token is not valid": "刷新令牌无效",
    "The session has ended; sign in again": "会话已结束,请重新登录",
    "Is not a mobile phone number": "不是手机号",
    "Is not a valid identity number": "不是有效的身份证号",
    "Must have 5 to 20 letters and digits": "必须是5到20位字母和数字",
    # The household register
    "Is none of 业主, 共有人, 家属, 租户": "不是业主、共有人、家属、租户之一",
    "Differs from line {} for the same home": "与第{}行同一户的面积不同",
    "Is on line {} for the same home already": "第{}行同一户已有这个人",
    "Is not an area in square metres with at most four decimals": "不是以平方米计、最多四位小数的面积",
    # Living somewhere
    "You live in this home already": "您已经是这一户的住户",
    "You have applied for this home already": "您已经申请过这一户",
    "Is not the document that this account was verified with": "与本账号认证时的证件不符",
    "The account was verified with another document": "本账号认证时用的是另一证件",
    "It has been decided already": "已经处理过了",
    "It has been decided or has changed meanwhile": "已被处理,或刚刚有变动",
    "Nobody decides the own application": "不能处理自己的申请",
    "Only the residents' committee may do this": "只有居委会可以这样做",
    "Only officers of the residents' committee may see applications": "只有居委会工作人员可以查看申请",
    "Only officers of the residents' committee may import the register": "只有居委会工作人员可以导入住户名册",
    "A column is there twice": "有重复的列",
    "Columns missing: {}": "缺少列:{}",
    "Is not CSV from line {}": "从第{}行起不是 CSV",
    # Offices
    "A grid worker has a grid of the community": "网格员必须负责本社区的一个网格",
    "Only a grid worker has a grid": "只有网格员负责网格",
    "An organisation keeps at least one administrator": "一个组织至少要保留一名管理员",
    "Only an administrator of the organisation may do this": "只有本组织的管理员可以这样做",
    "The organisation has an administrator meanwhile": "该组织刚刚已有管理员",
    "Give either a phone or a neighbour": "手机号和邻居请给其中一个",
    "Nobody has signed in with this phone yet": "还没有人用这个手机号登录过",
    "There is no such neighbour": "没有这位邻居",
    "Only administrators of the residents' committee may do this": "只有居委会管理员可以这样做",
    "Only administrators of the office may read its audit log": "只有本组织的管理员可以查看审计日志",
    "Only the office itself and the residents' committee see its statistics": (
        "只有本组织和居委会可以查看它的统计"
    ),
    "A community has one residents' committee": "一个社区只有一个居委会",
    "There is one of this name already": "已有同名的",
    "It has been changed meanwhile": "刚刚被修改过",
    "The worker looks after this grid already": "该网格员已经负责这个网格",
    "From 1 to {} buildings": "1到{}栋楼",
    "Holds a place that is not in the community": "含有不在本社区的地点",
    "This phone is invited already": "这个手机号已经收到邀请",
    "Holds this office already": "已经担任这一职务",
    "The invitation is no longer open": "这份邀请已经失效",
    "At most three years": "最多三年",
    "More than {} entries; choose a shorter period": "超过{}条,请缩短时间范围",
    # The party branch
    "Only members of the branch may do this": "只有本支部的党员可以这样做",
    "Only officers of the branch with this power may do this": "只有本支部有此权限的工作人员可以这样做",
    "Only verified residents of this community may apply to the branch": (
        "只有本社区的实名居民可以申请加入支部"
    ),
    "You belong to this branch already": "您已经是本支部的成员",
    "You have applied to this branch already": "您已经申请过加入本支部",
    "Holds an item that is not of this lesson": "含有不属于本课程的内容",
    "A lesson has at least one required item": "课程至少要有一项必修内容",
    "An item keeps its kind": "内容的类型不能更改",
    "A quiz is finished by passing it": "测验通过后才算完成",
    "Is no quiz": "不是测验",
    "Must answer each question": "每道题都要作答",
    "Holds an option that cannot be chosen": "含有不能选择的选项",
    "You have passed this quiz already": "您已经通过这次测验",
    "No attempt is left": "答题次数已用完",
    "Only published lessons are learnt, by who belongs to the community": (
        "只有已发布的课程可以学习,且仅限本社区的实名居民和工作人员"
    ),
    "Is not a link": "不是有效的链接",
    "Must be an https link to a public host": "必须是指向公网地址的 https 链接",
    "Videos of this host are not allowed": "不允许使用该网站的视频",
    "Holds an option twice": "有重复的选项",
    "A question has one right option, or several where it says so": "每道题要有一个正确选项,多选题可以有多个",
    "Only members learn whose an opinion is": "只有面向党员公开的意见可以署名",
    "Must be within the coming year": "必须在未来一年之内",
    "Is no officer of the branch who answers opinions": "不是本支部可以答复意见的工作人员",
    "Only its owner and who assigns opinions may answer this one": "只有承办人和支部书记可以答复这条意见",
    "The member does not want it to go so far": "超出了提出人同意的公开范围",
    "Must be within the past year": "必须在过去一年之内",
    "Without consent only the fact is kept": "未经住户同意只能登记走访事实",
    "Holds somebody who is neither officer nor member of the branch": (
        "含有既不是本支部工作人员也不是党员的人"
    ),
    "There is a case of this visit already": "这次走访已经转为诉求",
    "The applicant does not live in this community any more": "申请人已不在本社区居住",
    # The feed
    "There is no such estate in this community": "本社区没有这个小区",
    "There is no such comment here": "这里没有这条评论",
    "Only its author may edit a post": "只有作者可以修改帖子",
    "Only its author may edit a comment": "只有作者可以修改评论",
    "Only its author or a moderator may delete a post": "只有作者或管理员可以删除帖子",
    "Only its author or a moderator may delete a comment": "只有作者或管理员可以删除评论",
    "Only its author or a moderator may say that": "只有作者或管理员可以更改状态",
    "Only the committee pins in the feed, a moderator in a group": (
        "动态由居委会置顶,小组帖子由组长和管理员置顶"
    ),
    "The post has been edited meanwhile": "帖子刚刚被修改过",
    "The post has been edited or deleted meanwhile": "帖子刚刚被修改或删除",
    "The comment has been edited or deleted meanwhile": "评论刚刚被修改或删除",
    # Notices
    "Nobody lives there": "那里没有住户",
    "Holds a place that is not in the organisation's community": "含有不在本组织所属社区的地点",
    "It was updated or cancelled meanwhile": "通知刚刚被更新或取消",
    "The notice was not sent to this home": "这一户不在通知范围内",
    "The notice was sent to no home of yours": "您的住处不在通知范围内",
    "You may record visits in your own grids only": "您只能登记自己网格内的走访",
    "You may not do this in the name of the organisation that published the notice": (
        "您不能以发布通知的组织的名义这样做"
    ),
    "You may not publish {} {} notices for this organisation": "您不能为这个组织发布{}级别的{}通知",
    "Only verified residents and officers are sent notices": "只有实名居民和工作人员会收到通知",
    "Only the publisher and the residents' committee see whom a notice reached": (
        "只有发布者和居委会可以查看通知的送达情况"
    ),
    # Service requests
    "Only verified residents and officers of this community may follow a case": (
        "只有本社区的实名居民和工作人员可以关注事项"
    ),
    "Only verified residents and officers of this community may report a case": (
        "只有本社区的实名居民和工作人员可以提交事项"
    ),
    "Only who reported the case and its offices may do this": "只有提交人和相关单位可以这样做",
    "Only who reported the case may do this": "只有提交人可以这样做",
    "Only the office that the case is offered to may do this": "只有被转办的单位可以这样做",
    "Only the office that has the case may do this": "只有承办单位可以这样做",
    "From 1 to {}": "必须在1到{}之间",
    "Has the case already": "已经是承办单位",
    "Is no office of this community that handles service requests": "不是本社区办理事项的单位",
    "Is no officer of the office that has the case": "不是承办单位的工作人员",
    "The case has changed meanwhile": "事项刚刚有变动",
    "The reporter must be able to read this": "这段说明必须让提交人看到",
    "The time to return it is over; report it anew": "已过退回期限,请重新提交",
    "This cannot be done with the case as it is now": "事项目前的状态不能这样操作",
    "Cannot take in another case as it is now": "目标事项目前不能合并其他事项",
    "Is no other case of this community": "不是本社区的另一事项",
    "Is not on the board": "不在公开进度栏上",
    "Give one of a home, a building and an estate": "房屋、楼栋、小区请只给一个",
    "Is no complaint": "不是投诉帖",
    "Is no home of yours": "不是您的住处",
    "No office of this community handles this yet": "本社区还没有办理此类事项的单位",
    "Only its author or an office that handles cases may make a case of a post": (
        "只有作者或承办单位可以把帖子转为事项"
    ),
    "There is a case of this post already": "这个帖子已经转为事项",
    "There is no such place in this community": "本社区没有这个地点",
    "Only an administrator of the residents' committee may do this": "只有居委会管理员可以这样做",
    "The policy has been changed meanwhile": "办理规则刚刚被修改过",
    "There is no such category here": "没有这个类别",
    "2 to 24 capital letters, digits and underscores": "2到24位大写字母、数字和下划线",
    "Handles no service requests": "不办理此类事项",
    "From a minute to a year": "必须在一分钟到一年之间",
    "Not less than the time to accept": "不能短于接单时限",
    "Less than the time to accept": "必须短于接单时限",
    "Less than the time to confirm": "必须短于确认时限",
    "Only who handles its cases sees an office's queue": "只有承办人员可以查看单位的待办",
    "Must be later than since": "必须晚于起始时间",
    # The owners' vote
    "A secret ballot of this home is in the box already: the first one counts": (
        "该户的无记名票已在票箱中，以先投的为准"
    ),
    "Choose once for every item of the motion; to abstain is a choice": (
        "每个表决事项都要选择一次，弃权也是选择"
    ),
    "Only those who owned a home when the vote opened may vote, and those who hold their proxy": (
        "只有表决开始时的业主及其受托人可以投票"
    ),
    "Say for which home: you vote for several owners": "请说明为哪一户投票：您可以为多位业主投票",
    "The motion was withdrawn": "议案已撤回",
    "The owner has voted: a proxy cannot change that": "业主本人已投票，受托人不能更改",
    "The vote has not opened yet": "表决尚未开始",
    "The vote is closed: the ballot came too late": "表决已截止，选票来晚了",
    "The vote of this home has been cast, and the rules of this vote let nobody change it": (
        "该户已投票，本次表决规则不允许更改"
    ),
    "This secret was used for another ballot": "这个密码已用于另一张选票",
    "Two ballots of this home are in conflict; the office settles that first": (
        "该户有两张选票相互冲突，需由工作人员先行处理"
    ),
    "For owners, and for the officers who put or count the motion": "仅限业主以及提出议案或计票的工作人员",
    "The vote is not closed and counted yet": "表决尚未截止并计票",
    "A ballot on paper did not come online": "纸质选票不是线上投的",
    "Another officer than the one who entered it confirms a ballot": "须由录入者以外的工作人员复核选票",
    "Another officer than those who entered the ballot settles its conflict": (
        "须由录入者以外的工作人员处理选票冲突"
    ),
    "Is neither of the two ballots in conflict": "不是相互冲突的两张选票之一",
    "It was confirmed meanwhile": "刚刚已被复核",
    "Nobody handles the ballot of the own home as an officer": "工作人员不得经手自家的选票",
    "Only officers who count the ballots may do this": "只有计票工作人员可以这样做",
    "There is no conflict, or not any more": "没有冲突，或冲突已处理",
    "This home has no vote in this motion": "该户不在本次表决范围内",
    "It was decided meanwhile": "刚刚已有决定",
    "Nobody decides a proxy of their own": "任何人不得审核与自己有关的委托",
    "Proxies are dealt with from the announcement to the close": "委托只在公告之后、截止之前办理",
    "The rules of this vote allow no proxies": "本次表决规则不允许委托",
    "A vote that has opened runs to its close": "已经开始的表决须进行到截止",
    "Exactly one estate": "请给出一个小区",
    "Choose from 1 to {} buildings": "请选择1到{}栋楼",
    "It was changed or announced meanwhile": "刚刚已被修改或公告",
    "Must be later than the opening, by a year at most": "须晚于开始时间，且不超过一年",
    "The close is in the past": "截止时间已过",
    "The rules ask for {} hours between announcement and opening": "规则要求公告与开始之间间隔{}小时",
    "The whole community needs no places": "范围为整个社区时不需要地点",
    "There is no home in its scope": "范围内没有房屋",
    "Only the owners' committee puts motions to the owners": "只有业委会可以向业主提出议案",
    "The residents' committee convenes only where no owners' committee sits": (
        "只有没有业委会时居委会才可以召集"
    ),
    "Only officers who count the ballots see who has voted": "只有计票工作人员可以看到谁已投票",
    "Only verified residents and officers follow motions": "只有已认证的居民和工作人员可以关注议案",
    "26 to 64 random letters and digits": "26到64个随机字母和数字",
    "A binding vote cannot ask for less than the law": "有约束力的表决不能低于法定比例",
    "A binding vote is announced at least 15 days (360 hours) before": (
        "有约束力的表决须至少提前15日（360小时）公告"
    ),
    "Extensions and their hours go together": "延期次数和延期时长须同时给出",
    "From 0 to 10": "从0到10",
    "From 0 to {}": "从0到{}",
    "Must be a share above 0 and up to 1, in {}ths at most": "须为大于0、不超过1的比例，分母最大{}",
    "Nothing is more than all": "没有比全部更多的",
    "Only who puts motions to the owners may do this": "只有可以向业主提出议案的人可以这样做",
    "Other rules were adopted meanwhile": "刚刚已采用其他规则",
    "Only the officers who put or count the motion may do this": "只有提出议案或计票的工作人员可以这样做",
    "The vote has opened: its electorate is frozen": "表决已经开始，表决人名册已固定",
    # Deliberation
    "The deliberation is not in a phase that allows this": "议事现在的阶段不能这样做",
    "The deliberation has changed meanwhile": "议事刚刚有变动",
    "This organisation convenes no deliberations": "这个组织不召集议事",
    "Only officers who convene may open a deliberation": "只有有召集权的工作人员可以发起议事",
    "Only the convenor may do this": "只有召集人可以这样做",
    "Only the convenor or a moderator may do this": "只有召集人或管理员可以这样做",
    "Only what has been convened has a plan": "只有已召集的议事才有日程",
    "Only what has been convened can be moved": "只有已召集的议事才能推进",
    "Is not another phase of a deliberation": "不是议事的另一个阶段",
    "Must be later than what comes before it, and in the future": "必须晚于前一项,并且在将来",
    "There is no such post in this community": "本社区没有这个帖子",
    "Says nothing": "没有内容",
    "Somebody has said so already": "已经有人这样说过",
    "There are enough statements; vote on those that are there": "观点已经够多,请先表态",
    "The statement is hidden": "这条观点已被隐藏",
    "Only those whom the deliberation is for may do this": "只有议事范围内的人可以这样做",
    "Only verified residents whom the deliberation is for may vote": "只有议事范围内的实名居民可以表态",
    "At most {}, each once": "最多{}条,每条一次",
    "Holds what is no statement of this deliberation": "含有不属于本次议事的观点",
    "The outcome has been written meanwhile": "结果刚刚被修改过",
    "There are too many items": "落实事项太多",
    "There is no such organisation in this community": "本社区没有这个组织",
    "There is no such service request or motion in this community": "本社区没有这个诉求或表决",
    "Is not the id of a ServiceRequest or Motion": "不是诉求或表决的编号",
    "Its state is that of what it links to": "它的进度以所关联的事项为准",
    "Only the convenor and the office in charge may do this": "只有召集人和负责的组织可以这样做",
    "Does not follow from the present state": "不能从现在的状态这样变更",
    "The item has changed meanwhile": "事项刚刚有变动",
    "It is not said to be done": "还没有说已办完",
    # Pictures and documents
    "At most {} pictures": "最多{}张图片",
    "Only uploaded pictures can be shown": "只能显示已上传的图片",
    "Has too many pixels": "图片像素过多",
    "Takes too long to be read": "图片读取超时",
    "Is not a picture that can be read": "不是可以读取的图片",
    "Is not a PDF file": "不是 PDF 文件",
    "Only verified residents and officers of this community may upload": (
        "只有本社区的实名居民和工作人员可以上传"
    ),
    "Was given up meanwhile": "上传刚刚被放弃",
    "There is no such upload of yours": "没有您上传的这个文件",
    "Send uploads with the header 'apollo-require-preflight'": "上传请带上 apollo-require-preflight 请求头",
    "The body must be a picture (JPEG, PNG, WebP) or a PDF document": (
        "只能上传图片(JPEG、PNG、WebP)或 PDF 文档"
    ),
    "Too many uploads at once; try again": "同时上传的人太多,请稍后再试",
    "The file is larger than {} bytes": "文件超过{}字节",
    "The body took too long to arrive": "上传用时太长",
    # What a party branch publishes
    "A party branch publishes in other ways": "党支部的内容请通过党建功能发布",
    "The article has changed meanwhile": "文章刚刚被修改过",
    "What is withdrawn stays as it was": "已撤回的内容不能再修改",
    "Withdraw it and publish it anew to change that": "如需更改,请撤回后重新发布",
    "Say until when comments are taken": "请说明意见征集到何时为止",
    "Must not be before it is published": "不能早于发布时间",
    "The time for comments is over": "意见征集期已结束",
    "This affair takes no comments now": "这项公开事务现在不征集意见",
    "It has been published or withdrawn": "已经发布或撤回",
    "Must be in the future, within a year": "必须在将来一年之内",
    "Must not be in the future": "不能在将来",
    "The profile has changed meanwhile": "先锋资料刚刚被修改过",
    "The member has a profile already": "这位党员已有先锋资料",
    "The member has not agreed to this text": "这位党员还没有同意这份资料",
    "Only whom the profile shows may agree to it": "只有资料所介绍的党员本人可以同意",
    "Neighbours thank a pioneer whose profile is out, and nobody themselves": (
        "只能感谢已公开的党员先锋,不能感谢自己"
    ),
    "Pioneers make their own pledges": "承诺由先锋本人作出",
    "The profile has as many as it can hold": "资料中的条目已满",
    # Local services
    "This organisation offers nothing of this category": "本组织不能提供这一类服务",
    "Only an entry of the category GRID is for a grid": "只有网格类服务可以指定网格",
    "Is not a phone number": "不是电话号码",
    "Give one of a building and an estate": "楼栋和小区请给其中一个",
    "Is not an address that begins with http:// or https://": "不是以 http:// 或 https:// 开头的网址",
    "At most {} times a day": "每天最多{}段时间",
    "Is too far away": "离今天太远",
    "Names a date twice": "同一日期出现了两次",
    "Is not a time as in 08:30": "不是 08:30 这样的时间",
    "The entry has been changed meanwhile": "这项服务刚刚被修改过",
    "Only who keeps the organisation's entries may do this": "只有负责本组织服务目录的人员可以这样做",
    "Only merchants need a licence": "只有商户需要许可证",
    "Must have 6 to 40 letters, digits and hyphens": "必须是6到40位字母、数字和连字符",
    "Must be today or later, within a hundred years": "必须是今天或以后,一百年以内",
    "A licence is being checked already": "已有一份许可证正在审核",
    "The licence has been decided or has changed meanwhile": "许可证已被处理,或刚刚有变动",
    "Only the residents' committee checks licences": "只有居委会审核许可证",
    "From 1 to {} days": "1到{}天",
    "From 1 to {} times a week": "每周1到{}段",
    "From 5 minutes to 12 hours": "5分钟到12小时",
    "Must be in the future": "必须在将来",
    "At most {} times at once": "一次最多{}个时段",
    "No place is left at this time": "这个时段没有名额了",
    "You have booked this time already": "您已经预约了这个时段",
    "You have booked {} times of this service already": "您已经预约了这项服务的{}个时段",
    "Only verified residents and officers of this community may book": (
        "只有本社区的实名居民和工作人员可以预约"
    ),
    "The booking has changed meanwhile": "这个预约刚刚有变动",
    "Only who serves at this office may do this": "只有本机构的工作人员可以这样做",
    "It has begun already": "已经开始了",
    "It has not begun yet": "还没有开始",
    "This time is withdrawn already": "这个时段已经取消",
    "The offer has been changed or has ended meanwhile": "这个优惠刚刚被修改或已经结束",
    "Only verified residents of this community may rate": "只有本社区的实名居民可以评价",
    "Nobody rates the own organisation": "不能评价自己所在的机构",
    "Services of this category are not rated": "这一类服务不参与评价",
    "The rating has been changed meanwhile": "这条评价刚刚被修改过",
    # The inbox
    "Give either ids or upTo": "ids 和 upTo 请给其中一个",
    # Activities
    "Only those who hold activities in the host's name may do this": "只有主办方负责活动的人可以这样做",
    "The group is archived": "小组已归档",
    "This host may not invite them": "这个主办方不能面向这些人",
    "Say where: a place, or an address online": "请说明地点,或给出线上地址",
    "Is not an address that begins with https://": "不是以 https:// 开头的地址",
    "Must be later than the start, by 31 days at most": "必须晚于开始时间,最多晚31天",
    "Must be later than the opening of sign-up, and not later than the end": (
        "必须晚于报名开始时间,且不晚于活动结束时间"
    ),
    "Must have room for one who brings as many as may be brought": "名额至少要容得下一位报名者和允许的同行人",
    "More seats than that are taken": "已占用的名额比这更多",
    "Somebody waits with more companions than that has room for": "候补中有人的同行人数超过这个名额",
    "A series has 53 occurrences at most, within a year": "系列活动一年内最多53场",
    "A series has two occurrences at least": "系列活动至少两场",
    "Give either count or until": "次数和截止时间必须且只能给一个",
    "Only what recurs by weeks has weekdays": "只有按周重复的活动可以指定星期",
    "The first occurrence is on one of the weekdays": "第一场必须在所选的星期之内",
    "The activity has changed meanwhile": "活动刚刚有变动",
    "The activity is cancelled": "活动已取消",
    "The activity is over": "活动已结束",
    "The activity has begun": "活动已开始",
    "Only verified residents and officers of this community may sign up": (
        "只有本社区的实名居民和工作人员可以报名"
    ),
    "Sign-up has not opened yet": "报名还没有开始",
    "Sign-up is closed": "报名已截止",
    "There are not so many seats left; sign off and sign up anew to wait for them": (
        "剩余名额不够,请先取消报名,再重新报名候补"
    ),
    "Is not the code shown now": "不是当前显示的签到码",
    "Only who has a seat can check in": "只有报名成功的人可以签到",
    "People check in from two hours before the start": "活动开始前两小时起可以签到",
    "People check in from two hours before the start to two hours after the end": (
        "活动开始前两小时至结束后两小时内可以签到"
    ),
}


@functools.lru_cache(maxsize=4096)
def said(message: str, language: str) -> str:
    """`message` in `language`; a message that the table lacks stays as it is."""
    if language == ENGLISH:
        return message
    exact = CHINESE.get(message)
    if exact is not None:
        return exact
    for pattern, chinese in patterns():
        if found := pattern.fullmatch(message):
            return chinese.format(*found.groups())
    return message


@functools.cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """The messages that hold something, the longest first, since they say more."""
    return list(sorted_patterns())


def sorted_patterns() -> Iterator[tuple[re.Pattern[str], str]]:
    for english in sorted((text for text in CHINESE if "{}" in text), key=len, reverse=True):
        yield re.compile("(.+?)".join(map(re.escape, english.split("{}"))), re.DOTALL), CHINESE[english]


def worded(error: DomainError, where: Any) -> DomainError:
    """`error` in the language of a context, an admission, or of a connection that has neither yet."""
    language = (
        language_of(headers_of(where.scope).get("accept-language"))
        if isinstance(where, HTTPConnection)
        else getattr(where, "language", ENGLISH)
    )
    return error.in_words(lambda message: said(message, language))


def language_of(header: object) -> str:
    """`en` or `zh-Hans`, by an Accept-Language header; else Chinese (RFC 9110, 12.5.4)."""
    return _language_of(header) if isinstance(header, str) else "zh-Hans"


@functools.lru_cache(maxsize=100)
def _language_of(header: str) -> str:
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")):
        tag, _, quality = part.partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", quality)
        language = {"en": ENGLISH, "zh": "zh-Hans"}.get(tag.strip().lower().split("-")[0])
        if language and (not quality or weight):
            wanted.append((-float(weight[1]) if weight else -1.0, place, language))
    return min(wanted)[2] if wanted else "zh-Hans"
