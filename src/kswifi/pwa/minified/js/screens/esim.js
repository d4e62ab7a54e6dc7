/*f3998fc16fc16f0614571267abaea62ab799187c12ab555531a5aafb492e5ed5*/
import{read as H}from"../api.js";import*as O from"../db.js";import{formatOctets as y,lastDay as R,sizeName as U}from"../format.js";import{t as n}from"../i18n.js";import{Intent as A}from"../intent.js";import{unwant as F,want as G}from"../outbox.js";import{useEffect as z,useState as C}from"../state.js";import{endOf as J}from"../steps.js";import{actions as I,asked as K,cardOrder as S,carried as L,environment as M,isEnded as j,phone as P,reachable as Q,sessions as E,stateOf as V}from"../store.js";import{Chip as N,Heading as W,html as i,Icon as g,Note as X,Size as Y,Switch as Z}from"../ui.js";const T=e=>n("size.session",{size:U(e.allowance_octets)}),x=e=>I.value.filter(o=>o.kind==="arrange"&&o.path===e);async function q(e,o,c){for(const s of x(e))o in s.body&&await F(s.key);await G({kind:"arrange",path:e,body:{[o]:c}})}function ss({one:e,card:o,move:c,at:s,last:$,intent:b}){const m=o?.records.find(r=>r.session_id===e.session_id),_=P.value?.profiles.some(r=>r.iccid===e.iccid&&!r.enabled),h=o?.active_session_id===e.session_id,w=(r,f)=>{const d=f.currentTarget;c(r),setTimeout(()=>d.focus())},v=(r,f,d)=>i`<button
class="iconbtn"
aria-label=${n(`esim.${r}`,{what:`${T(e)}, ${s+1}`})}
aria-disabled=${d}
style=${`transform:rotate(${90*f}deg);opacity:${d?.4:1}`}
onClick=${k=>d||w(f,k)}
><${g} name="chevron" /></button>`,l=e.left_octets===null?n("meter.used",{size:y(e.used_octets)}):n("of",{size:y(e.allowance_octets??0)});return i`<li class="pass"><div class="row between"><a class="grow" style="color:inherit;text-decoration:none" href=${`#/session/${e.session_id}`}><${Y} octets=${e.left_octets??e.allowance_octets} /><p class="small soft">${l} · ${n("until",{day:R(e.valid_until)})}</p></a>${m&&!(s===0&&$)?i`${v("up",-1,s===0)}${v("down",1,$)}`:i`<${N} />`}</div><p class="small"><span class=${`badge ${h?"":"line"}`}>${n(`state.${V(e)}`).toUpperCase()}</span>${m&&i` ${n("esim.place",{n:s+1})}`}
${b&&i` <span class="badge grey">${n("intent.badge")}</span>`}</p>${m&&!m.proved&&e.state!=="active"&&i`<p class="small soft">${n(m.failure?"problem.card_refused":_?"esim.off":"esim.waits")}</p>`}</li>`}function es({id:e,live:o}){const c=`/api/v1/esims/${e}/sessions`,[s,$]=C(null),[b,m]=C(""),_=x(c).at(-1),h=Object.assign({},...x(c).map(t=>t.body)),w=t=>t.filter(a=>s?.order.includes(a)),v=w(h.order??s?.wants_order??[]),l=v.concat(w(s?.order??[]).filter(t=>!v.includes(t))),r=h.continue_with_next??s?.wants_next??!1,f=l.join()!==s?.order.join(),d=!!s&&(f||r!==s?.continue_with_next);z(()=>{O.get("kv",c).then(t=>$(a=>a??t??null))},[]),z(()=>{let t=!1;const a=async()=>{const u=await H(c);t||($(u),S.value={...S.peek(),[e]:u.order},await O.put("kv",u,c))};a().catch(()=>{});const p=setInterval(()=>d&&Q.peek()&&a().catch(()=>{}),2e3);return()=>{t=!0,clearInterval(p)}},[K.value,I.value.length,d,L.value]);const k=[...o].sort((t,a)=>(l.indexOf(t.session_id)+9)%9-(l.indexOf(a.session_id)+9)%9);function B(t,a){const p=l.indexOf(t.session_id),u=l.filter(D=>D!==t.session_id);return u.splice(p+a,0,t.session_id),m(`${T(t)}: ${p+a+1}`),q(c,"order",u)}return i`
<ol class="stack">${k.map(t=>{const a=l.indexOf(t.session_id);return i`<${ss}
one=${t}
card=${s}
at=${a}
last=${a===l.length-1}
intent=${f&&s?.order.indexOf(t.session_id)!==a}
move=${p=>B(t,p)}
key=${t.session_id}
/>`})}</ol><p class="vh" role="status">${b}</p>${l.length>0&&i`<div class="list"><${Z}
label=${n("esim.next")}
hint=${n("esim.next_hint")}
on=${r}
change=${t=>q(c,"continue_with_next",t)}
/></div>`}
${_?i`<${A} action=${_} />`:d&&i`<${X} icon="clock" live>${n("intent.sent")}<//>`}
`}function ts(){const e=E.value.filter(s=>!j(s)),o=E.value.filter(j),c=[...new Set(e.map(s=>s.esim_id))];return i`
<${W} title=${n("esim.title")} lead=${n("esim.lead")} />${c.map(s=>i`<${es} id=${s} live=${e.filter($=>$.esim_id===s)} key=${s} />`)}
${!e.length&&i`<div class="card centre"><${N} /><p>${n("esim.empty")}</p></div>`}
${M.value?.lab_origin&&i`<a class="btn quiet wide" href="/lab"><${g} name="phone" />${n("esim.lab")}</a>`}
${o.length>0&&i`<section class="stack"><h2>${n("esim.ended")}</h2><div class="list">${o.map(s=>i`<a class="item" key=${s.session_id} href=${`#/session/${s.session_id}`}><span class="grow"><b>${s.allowance_octets===null?n("size.unlimited"):y(s.allowance_octets)}</b><span class="small soft">${J(s)}</span></span><${g} name="chevron" /></a>`)}</div></section>`}
${!e.length&&i`<div class="act stick"><a class="btn wide" href="#/choose"><${g} name="down" />${n("home.download")}</a></div>`}
`}export{ts as default};
