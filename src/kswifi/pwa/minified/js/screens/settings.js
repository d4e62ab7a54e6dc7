/*e0c3b4b7efc806ca9cea4878af4a8e209044979676722770de229c5b7fee51ef*/
import{change as b}from"../api.js";import{trouble as v}from"../db.js";import{InstallApp as w}from"../doors.js";import{formatOctets as _}from"../format.js";import{t}from"../i18n.js";import{listen as g}from"../live.js";import{beTold as y,beToldNoMore as h,pushHere as k,pushOn as d}from"../push.js";import{go as C}from"../router.js";import{useEffect as E,useRef as S,useState as H}from"../state.js";import{account as I,environment as O,forget as T,prefer as o,preferences as x,reachable as M,say as N}from"../store.js";import{Support as j}from"../support.js";import{Heading as q,html as s,Icon as i,Insecure as z,Switch as m}from"../ui.js";const f=({label:e,value:r,options:c,change:$})=>s`<div class="stack tight" role="group" aria-label=${e}><h2>${e}</h2><div class="seg">${c.map(([n,u])=>s`<button key=${n} aria-pressed=${r===n} onClick=${()=>$(n)}>${u}</button>`)}</div></div>`;async function A(){await T(),g(),C("home")}async function B(){await h().catch(()=>{}),await b("/api/v1/logins/current",void 0,{method:"DELETE"}).catch(()=>{}),await A()}async function D(e){await o({alerts:e}),!e&&d.peek()&&await h()}async function L(e){if(!e)return h();await o({alerts:!0}),await y().catch(()=>!1)||N(t("settings.alerts_denied"))}function R(){const{theme:e,language:r,low_data:c,alerts:$}=x.value,[n,u]=H(null),p=S(null);E(()=>{navigator.storage?.estimate?.().then(({usage:a})=>u(a??null))},[]);const l=I.value;return s`
<${q} title=${t("settings.title")} />${l?s`<a class="item card" href="#/security"><span class="dot"><${i} name="user" /></span><span class="grow"><b>${l.phone_number??l.email}</b><span class="small soft">${t("security.teaser")}</span></span><${i} name="chevron" /></a>`:s`<a class="btn wide" href="#/account">${t("account.sign_in")}</a>`}<${f}
label=${t("settings.theme")}
value=${e}
options=${["system","dark","light"].map(a=>[a,t(`theme.${a}`)])}
change=${a=>o({theme:a})}
/><${f}
label=${t("settings.language")}
value=${r}
options=${[["",t("language.system")],["en","English"],["pcm","Naijá"]]}
change=${a=>o({language:a})}
/><div class="list"><${m}
label=${t("settings.low_data")}
hint=${t("settings.low_data_hint")}
on=${c}
change=${a=>o({low_data:a}).then(g)}
/><${m} label=${t("settings.alerts")} hint=${t("settings.alerts_hint")} on=${$} change=${D} />${l&&k&&s`<${m} label=${t("settings.push")} hint=${t("settings.push_hint")} on=${!!d.value} change=${L} />`}</div><${w} /><${z} /><section class="card"><h2>${t("about.title")}</h2><p class="soft">${t("about.lead")}</p><ul class="stack">${["device","card","server"].map(a=>s`<li class="row" style="align-items:flex-start"><span class="dot"><${i} name=${a==="device"?"phone":a==="card"?"chip":"wifi"} /></span><span class="grow"><b>${t(`about.${a}`)}</b><br /><span class="small soft">${t(`about.${a}.what`)}</span></span></li>`)}</ul>${n!==null&&!v.value&&s`<p class="small soft num">${t("about.held",{size:_(n)})}</p>`}</section><a class="item card" href="#/device"><span class="dot"><${i} name="phone" /></span><span class="grow"><b>${t("device.title")}</b><span class="small soft">${t("device.teaser")}</span></span><${i} name="chevron" /></a><${j} />${O.value?.lab_origin&&s`<a class="btn quiet wide" href="/lab"><${i} name="phone" />${t("esim.lab")}</a>`}
${l&&s`
<button class="btn danger wide" onClick=${()=>p.current?.showModal()}>${t("settings.sign_out")}</button><dialog ref=${p} aria-labelledby="sure"><div class="stack"><h2 id="sure">${t("settings.sure")}</h2><p class="soft">${t("settings.sure_lead")}${M.value?"":` ${t("settings.sure_offline")}`}</p><button class="btn wide" onClick=${B}>${t("settings.sign_out")}</button><button class="btn plain wide" onClick=${()=>p.current?.close()}>${t("settings.stay")}</button></div></dialog>
`}
`}export{R as default};
